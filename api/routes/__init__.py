"""The routes of the lab's own API, thin over the packages below. Imports `corrections` and what stands below it.

Begin with `predict.py`.
"""

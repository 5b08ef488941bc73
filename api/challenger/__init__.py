"""A second version that answers the champion's rows in its shadow, for comparison only.

This folder can be deleted. It imports `inference` and what stands below it. Begin with `shadow.py`.
"""

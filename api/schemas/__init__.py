"""The bodies of requests and responses, and the limits of plausibility of features. Imports `common` only.

Begin with `requests.py`.
"""

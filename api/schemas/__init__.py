"""What requests and responses look like: fields, limits, examples. Imports `common` only.

Begin with `requests.py`.
"""

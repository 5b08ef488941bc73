"""The metrics on `GET /metrics`. Imports `common` only.

Begin with `declared.py`, which lists all of them.
"""

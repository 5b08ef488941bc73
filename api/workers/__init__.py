"""Several processes that serve the API on one port, counted and limited as one. This folder can be deleted.

It imports `api.py` and the rooms below it. Begin with `supervisor.py`.
"""

"""Several processes that serve the API on one port. This folder can be deleted.

It imports `api.py` and what stands below it. Begin with `supervisor.py`.
"""

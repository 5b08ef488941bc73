"""`GET /models`: how good the answers of each version are. This folder can be deleted.

It imports `routes` and what stands below it. Begin with `overview.py`.
"""

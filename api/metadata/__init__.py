"""`GET /metadata`: what goes into the model and what comes out. This folder can be deleted.

It imports `routes` and what stands below it. Begin with `routes.py`.
"""

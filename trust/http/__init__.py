"""The routes of vetting and tracing. Each file has the routes of one task and their bodies.

Imports `api.http`, `api.routes.dependencies` and `common`; the wiring in `api/api.py` imports the routers.
"""

"""Walls against other pages in a person's browser: the names of the service, the origin of a request, and headers.

It imports `common.settings` and `common.error_document`. This folder can be deleted with the fast path and the monitor,
which build on it. Begin with `walls.py`.
"""

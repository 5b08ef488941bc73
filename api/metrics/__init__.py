"""The metrics on `GET /metrics`: all are declared here, and HTTP requests are counted here.

It imports `common` only. Begin with `declared.py`, which lists all metrics.
"""

"""The protocols of other model servers, so that their clients can use this service. This folder can be deleted.

It imports `api/routes` and the packages below it, never `api/fastpath`. Begin with `oip/routes.py`.
"""

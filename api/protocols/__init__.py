"""The service in the words of other model servers. This folder can be deleted.

It imports `routes` and what stands below it. Begin with `oip/routes.py`.
"""

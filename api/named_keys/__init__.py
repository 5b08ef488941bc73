"""Named keys at the api: their roles, and the audit log. This folder can be deleted.

It imports `http` and `common.keys`. Begin with `named_access.py`.
"""

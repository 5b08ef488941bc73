"""Named keys with roles, and the sessions of people who have logged in with one.

It imports `common.settings` only. This folder can be deleted with `api/named_keys` and the monitor, which build on it.
Begin with `keyring.py`.
"""

"""Limits on connections: heads, bodies, idle time, number. This folder can be deleted.

It imports `common`'s own modules only. Begin with `protocol.py`.
"""

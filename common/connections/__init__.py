"""Limits on connections: their number, their idle time, the size and time of heads and bodies. Also answers to HEAD.

It imports `common.settings` only. This folder can be deleted with the fast path and the monitor, which build on it.
Begin with `protocol.py`.
"""

"""Limits on bodies, request ids and access keys, which every request meets before its route; and the form of errors.

Imports `schemas`. Begin with `errors.py`.
"""

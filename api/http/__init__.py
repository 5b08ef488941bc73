"""What every request passes before its route: limits on bodies, request ids, access keys; and the form of every error.

Imports `schemas`. Begin with `errors.py`.
"""

"""The keys of the api, the form of errors, and a thread that answers large requests.

Imports `schemas`. Begin with `errors.py`.
"""

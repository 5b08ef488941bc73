"""Seldon Core's protocol, version 1. Imports `routes` and what stands below it.

Begin with `routes.py`.
"""

"""Checks a new version in a process of its own before it serves, so that a bad model can end nothing but that process.

This folder can be deleted; then a version is only loaded and asked its golden rows. It imports `common` alone. Begin
with `check.py`.
"""

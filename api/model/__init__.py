"""The model in service: the registry is followed, a new version is checked, and one reference is replaced.

Imports `http` and what stands below it. Begin with `follower.py`.
"""

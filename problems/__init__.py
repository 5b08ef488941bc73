"""The problems, a file each: features, classes, where the rows come from, which models to try.

Imports `common` only. Begin with `iris.py`.
"""

"""The problems, one file each: features, classes, the source of the rows, and the candidates.

A file imports `common` only. Open `iris.py` first.
"""

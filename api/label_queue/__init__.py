"""The predictions whose ground truth would settle an open verdict. This folder can be deleted.

It imports `routes` and the rooms below it. Begin with `routes.py`.
"""

"""The code that all parts share. It imports no part.

Begin with `problem.py`, then `table.py`, `bundle/model.py` and `store/__init__.py`.
"""

"""What all parts share. It imports nothing of them.

Begin with `problem.py`, then `table.py`, `bundle/model.py` and `store/__init__.py`.
"""

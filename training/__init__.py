"""The search for the best model, and its registration. Imports `common` and `problems`, no other part.

Begin with `search.py`, which `main.py` calls.
"""

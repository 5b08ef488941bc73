"""The search for the best model of a problem, and its registration. Imports `common` and `problems`, no other part.

Open `search.py` first; `main.py` calls it. `executors.py` and `cluster.py` can be deleted: the search then fits one
candidate after the other.
"""

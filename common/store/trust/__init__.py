"""The store's memory of what became of each correction: its history, its vetting, its reviews, and who took it back.

Imports `common.store` only. Begin with `tables.py`; `trust.py` has the parts together.
"""

"""The page: a tab is a function from a `Source` to panels, and the rest draws panels.

Imports `statistics` and `follow_registry`. Begin with `routes.py`, then `tabs/overview.py`.
"""

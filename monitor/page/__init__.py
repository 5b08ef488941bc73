"""The page: a tab is a function from a `View` of the store to panels; the rest turns panels into HTML, JSON and CSV.

The package imports `monitor.statistics` and `monitor.follow_registry`. Open `routes.py` first, then `tabs/overview.py`.
"""

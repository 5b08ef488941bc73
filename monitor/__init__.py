"""The monitor, one for all problems: statistics, alerts, metrics, a page. This folder can be deleted.

It imports `common` and `problems`, no other part. Begin with `monitor.py`.
"""

"""The monitor's part of the store: windows, alerts, exports, and queries that only the monitor needs.

It imports the store's own modules only. Begin with `windows.py`. This folder can be deleted together with `monitor/`.
"""

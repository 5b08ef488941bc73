"""What the monitor keeps in the store: windows, alerts, exports. This folder can be deleted together with `monitor/`.

It imports the store's own modules only. Begin with `windows.py`.
"""

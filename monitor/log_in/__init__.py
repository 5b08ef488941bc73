"""The log-in to the monitor, for a lab that has keys: the gate before each page, its form, and the audit log.

It imports `common.keys` and `monitor.page`. Begin with `gate.py`.
"""

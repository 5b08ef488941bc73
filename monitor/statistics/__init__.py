"""Pure functions over rows and counts: drift, performance, breaches of limits. No file, server or clock is read.

Imports `common` only. Begin with `window.py`.
"""

"""Pure functions over rows and counts: drift, performance, breaches of limits. They read no file, server or clock.

The package imports `common` only. Open `window.py` first.
"""

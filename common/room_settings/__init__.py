"""Settings that only one room reads: a file for each room, deleted with it. `common/settings.py` joins them.

Imports `setting_types` only.
"""

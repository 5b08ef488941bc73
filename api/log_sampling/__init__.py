"""Sampling of the prediction log while the disk is nearly full: one row of ten is written, each answer is counted.

The package imports the store, `common/disk_space.py` and the metrics of the api. Open `sampled_log.py`.
"""

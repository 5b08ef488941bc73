"""Benchmarks of single parts: the writer, the monitor's pages, drift tests, large grids.

It imports the lab, `harness` and `headline`. Begin with `models.py`.
"""

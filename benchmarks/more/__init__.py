"""Benchmarks of single parts: the writer, the monitor's pages, drift tests, large grids. Imports `harness`.

Begin with `models.py`.
"""

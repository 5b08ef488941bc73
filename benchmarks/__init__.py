"""Measurements behind every claim about speed and memory, as ratios within one run. This folder can be deleted.

It may import every other package. Begin with `quick.py` and `run.py`.
"""

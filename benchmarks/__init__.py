"""Every claim about speed and memory, as a ratio measured in one run. This folder can be deleted.

It imports everything. Begin with `quick.py` and `run.py`.
"""

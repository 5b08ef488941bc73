"""The soak: mixed load on a whole lab, with random faults, and a check that nothing is lost: `make soak`.

`run.py` is the run; `page.py` writes docs/reliability.md from its results.
"""

"""The tools of the benchmarks: they start servers, send load, store results and write the page.

It imports the lab and `peers`. Begin with `running.py`.
"""

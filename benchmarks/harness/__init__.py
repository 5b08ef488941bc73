"""How the benchmarks measure: servers are started, load is sent, results are kept and written to a page.

Imports the lab. Begin with `running.py`.
"""

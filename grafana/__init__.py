"""Grafana's dashboards as Python: `python -m grafana.build` writes the JSON. This folder can be deleted.

It imports nothing of the lab. Begin with `build.py`.
"""

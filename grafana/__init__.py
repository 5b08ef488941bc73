"""Grafana's dashboards as Python code: `python -m grafana.build` writes their JSON. This folder can be deleted.

It imports no other package of the lab. Begin with `build.py`; the texts of the panels are in `descriptions.md`.
"""

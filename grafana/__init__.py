"""Grafana's dashboards, written in Python: `python -m grafana.build` makes the files of grafana/dashboards/."""

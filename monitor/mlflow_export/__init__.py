"""The external log: one run a day in MLflow, with metrics, profiles of the rows, and a report.

The package imports `monitor.statistics` and `monitor.follow_registry`. Open `exporting.py` first; the command is
`monitor/external_log.py`.
"""

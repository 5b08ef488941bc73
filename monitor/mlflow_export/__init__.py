"""The external log: a run a day in MLflow, with metrics, a profile of the rows, and a report.

Imports `statistics`. Begin with `exporting.py`; the command is `monitor/external_log.py`.
"""

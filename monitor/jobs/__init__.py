"""Jobs on a timetable: they evaluate windows, post alerts, and write the external log to MLflow.

The package imports `monitor.statistics` and `monitor.follow_registry`. Open `schedule.py` first.
"""

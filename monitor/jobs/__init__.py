"""Work on a schedule: windows are evaluated, alerts are posted, MLflow gets the external log.

Imports `statistics` and `follow_registry`. Begin with `schedule.py`.
"""

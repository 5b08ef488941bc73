"""The strip above every tab: accuracy, traffic and events over the selected time. Begin with `timeline.py`."""

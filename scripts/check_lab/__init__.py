"""The check of docs/lab.md: `python -m scripts.check_lab` says which of its tasks the state of the lab shows as done.

Imports `common`, `problems` and other files of `scripts`. Open `tasks.py` first: it has a function for each task.
`lab_state.py` reads the state and changes nothing. This folder can be deleted.
"""

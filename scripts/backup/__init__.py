"""Back up and restore: the state of a lab as one file, and the way back. docs/operations.md has the commands.

`save.py` writes the file, in the order that `places.py` explains; `restore.py` brings the state back into an empty
folder.
"""

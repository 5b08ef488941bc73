"""The commands behind `make`: start the servers, get the data, send traffic, run the demo.

Imports `common` and `problems`, and starts the parts as processes. Open `stack.py` first.
"""

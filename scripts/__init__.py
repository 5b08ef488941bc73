"""The commands behind `make`: start the servers, get the data, send traffic, run the demo.

Imports `common` and `problems`; starts the parts as processes. Begin with `stack.py`.
"""

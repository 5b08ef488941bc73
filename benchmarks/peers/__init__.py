"""Other model servers, each in an environment of its own with pinned packages.

Imports `harness`. Begin with `commands.py`.
"""

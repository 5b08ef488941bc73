"""Other model servers (the peers), each in an environment of its own with pinned packages.

It imports the lab and `harness`. Begin with `commands.py`.
"""

"""Retention: old rows of the prediction log go in small steps; every roll-up stays. Begin with `retention.py`.

The room's tables are no part of the schema: they are made when somebody needs them, and no other table needs them.
"""

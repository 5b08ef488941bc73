"""The database's schema, step by step, for Alembic. A new SQLite file does without them.

Imports nothing of the lab. Begin with `versions/`.
"""

"""The steps of the database's schema, for Alembic. A new SQLite file needs none of them.

It imports nothing of the lab. Begin with `versions/`. This folder can be deleted if no database needs an upgrade, and
with SQLite.
"""

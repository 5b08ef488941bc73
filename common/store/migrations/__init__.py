"""The steps of the database's schema, for Alembic. A new SQLite file needs none of them.

It imports `tables.py` only. Begin with `upgrade.py`. This folder can be deleted if no database needs an upgrade, and
with SQLite.
"""

"""The spool: files that keep what the api is told while its store is damaged or away.

Begin with `spooling_store.py`. This folder can be deleted with the lines `# room: spool`; then the api does not start
without its store.
"""

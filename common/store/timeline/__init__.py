"""The timeline: roll-ups by ten seconds, minute and hour, and what happened when. The page's strip reads it.

The room imports the tables of the store and of its rooms `monitoring` and `trust`. Begin with `tables.py`.
"""

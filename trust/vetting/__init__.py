"""Vetting: the rules that look at each correction before a version may learn it. Begin with `rules.py`."""

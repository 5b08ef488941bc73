"""Replays: logged rows, asked of another version, beside what was served. Begin with `replay.py`."""

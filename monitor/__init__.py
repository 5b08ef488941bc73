"""The monitor of all problems: statistics, alerts, metrics and a page. The loop works without this folder.

It imports `common` and `problems`, no other part. Open `monitor.py` first.
"""

"""The end of an api in two steps: its health checks fail and its connections close one by one, then it ends.

It imports `common` only. Begin with `server.py`. This folder can be deleted with the lines `# room: draining`, the
workers and the fast path; then an api ends at once.
"""

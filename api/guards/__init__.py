"""Two steps before each request: limits on its body, and an id for its answer. This folder can be deleted.

It imports `http`. Begin with `body_guard.py`.
"""

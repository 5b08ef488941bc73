"""Three steps before each request: limits on its body, walls against other pages, and an id.

This folder can be deleted. It imports `http` and `common.browsers`. Begin with `body_guard.py`.
"""

"""Limits on bodies and on how often a client may send corrections, walls against other pages, and an id for answers.

This folder can be deleted. It imports `http`, `schemas` and `common.browsers`. Begin with `body_guard.py`.
"""

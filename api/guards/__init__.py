"""Limits on bodies, on their values and on how often a client may send corrections; and an id for each answer.

This folder can be deleted. It imports `http` and `schemas`. Begin with `body_guard.py`.
"""

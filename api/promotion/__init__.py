"""The routes that move the aliases in the registry: challenge, promote, roll back. This folder can be deleted.

It imports `routes` and the rooms below it. Begin with `routes.py`.
"""

"""Answers to plain requests straight on their connection, before FastAPI. This folder can be deleted.

It imports `protocols` and what stands below it. Begin with `README.md`, then `uvicorn_protocol.py`.
"""

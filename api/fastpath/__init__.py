"""The fast path: replies to plain requests straight on their connection, before FastAPI. This folder can be deleted.

It imports `inference` and the rooms below it. Begin with `uvicorn_protocol.py`.
"""

"""The fast path: replies to plain requests straight on their connection, before FastAPI. This folder can be deleted.

It imports `api/protocols` and the packages below it. Begin with `README.md`, then `uvicorn_protocol.py`.
"""

"""The ground truths that clients send: this package stores them, and delivers corrections to Prefect.

Imports `inference` and what stands below it. Begin with `prefect_outbox.py`.
"""

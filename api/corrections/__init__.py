"""What people say of predictions: the ground truth is stored, corrections are delivered to Prefect.

Imports `inference` and what stands below it. Begin with `prefect_outbox.py`.
"""

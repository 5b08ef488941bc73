"""Seldon Core's protocol, version 1, and the same under 0.1: predictions and feedback for clients written for it.

Begin with `routes.py`. Source: Seldon Core's documentation, "External Prediction API", and its `prediction.proto`, of
which this room understands `ndarray` and `tensor`.
"""

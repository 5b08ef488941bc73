"""From rows to answers, and from answers to the prediction log.

Imports `model` and what stands below it. Begin with `predictor.py`.
"""

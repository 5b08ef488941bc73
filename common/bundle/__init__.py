"""The model as one ONNX file: written by those who train, loaded and asked by those who serve.

Imports `common`'s own modules only. Begin with `model.py`, which does without scikit-learn.
"""

"""The bundle: a model as one ONNX file with its metadata. Training exports it; the services load it and ask it.

The package imports `common`'s own modules only. Open `model.py` first: it loads a bundle, and needs no scikit-learn.
"""

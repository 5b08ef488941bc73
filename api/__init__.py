"""The online service. `api.py` wires it from the packages beside it, each of which imports only those below it.

`tests/test_layers.py` has the order. Begin with `api.py`, then follow a request through `routes/predict.py`.
"""

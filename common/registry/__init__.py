"""MLflow's model registry. `client.py` reads it without the `mlflow` package; `publish.py` writes to it with it.

Imports `common`'s own modules only. Begin with `client.py`.
"""

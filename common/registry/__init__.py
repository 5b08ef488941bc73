"""MLflow's model registry: `client.py` reads it, `follow.py` follows its changes, `publish.py` registers models.

The package imports `common`'s own modules only; `client.py` and `follow.py` do without the `mlflow` package, whose
import costs seconds. Open `client.py` first.
"""

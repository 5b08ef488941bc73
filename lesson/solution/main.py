"""Try a grid of perceptrons, log each to MLflow, and register the best as `IrisModel`."""

import json
import os
import warnings
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from onnx.helper import set_model_props
from skl2onnx import to_onnx
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

DATA = Path("data")
GRID = [{"layers": layers, "epochs": epochs} for layers in (1, 2) for epochs in (100, 250, 500)]
NEURONS = 10
SEED = 42
# MLflow's file format for scikit-learn asks which types it may load beside the known ones.
TRUSTED = ["sklearn.neural_network._stochastic_optimizers.AdamOptimizer"]


def read(name: str) -> tuple[Any, Any]:
    """Return the measurements `[rows, 4]`, float32 as the service gets them, and the classes `[rows]` of a file."""
    rows = pd.read_csv(DATA / name).to_numpy()
    return rows[:, :4].astype(np.float32), rows[:, 4].astype(np.int64)


def fit(X: Any, y: Any, layers: int, epochs: int) -> MLPClassifier:
    """Return a perceptron that has learnt the rows."""
    hidden = (NEURONS,) * layers
    model = MLPClassifier(hidden, max_iter=epochs, learning_rate_init=0.01, random_state=SEED)
    with warnings.catch_warnings():
        # The grid compares numbers of epochs, so a fit may end before it converges.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y)


def register(model: MLPClassifier) -> None:
    """Log the model to the active run, as ONNX to serve and as scikit-learn to go on learning; register the ONNX."""
    X, y = read("test.csv")
    mlflow.log_metric("test_accuracy", model.score(X, y))
    graph = to_onnx(model, X[:1], options={"zipmap": False})
    # The class names travel with the model, so that the api never mixes up their order.
    set_model_props(graph, {"classes": (DATA / "classes.json").read_text(encoding="utf-8")})
    mlflow.sklearn.log_model(model, name="sklearn", pip_requirements=["scikit-learn"], skops_trusted_types=TRUSTED)
    logged = mlflow.onnx.log_model(graph, name="onnx", pip_requirements=["onnxruntime"])
    version = mlflow.register_model(logged.model_uri, "IrisModel").version
    print(f"IrisModel version {version}: {model.score(X, y):.3f} of test.csv right")


def main() -> None:
    """Search the grid on four fifths of train.csv, judge on the last fifth, and register the winner."""
    mlflow.set_tracking_uri(os.environ.get("MLFLOW_URL", "http://127.0.0.1:5000"))
    mlflow.set_experiment("iris")
    X, y = read("train.csv")
    X_fit, X_val, y_fit, y_val = train_test_split(X, y, test_size=0.2, random_state=SEED, stratify=y)
    found = []
    for parameters in GRID:
        with mlflow.start_run() as run:
            model = fit(X_fit, y_fit, **parameters)
            loss = float(log_loss(y_val, model.predict_proba(X_val)))
            mlflow.log_params(parameters)
            mlflow.log_metrics({"val_log_loss": loss, "val_accuracy": model.score(X_val, y_val)})
        print(f"{json.dumps(parameters)}: log-loss {loss:.4f}")
        found.append((loss, run.info.run_id, model))
    _, run_id, best = min(found, key=lambda each: each[0])
    with mlflow.start_run(run_id=run_id):
        register(best)


if __name__ == "__main__":
    main()

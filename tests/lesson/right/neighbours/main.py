"""Neighbours and logistic regressions, in runs below one parent run; the model answers names, with zipmap."""

import csv
import os
from pathlib import Path

import mlflow
import numpy as np
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MODELS = {
    "neighbours": (KNeighborsClassifier, "n_neighbors", (1, 5, 45)),
    "logistic": (LogisticRegression, "C", (0.0001, 1.0)),
}


def search(X: np.ndarray, y: np.ndarray) -> None:
    best = (-1.0, None)
    for kind, (make, name, values) in MODELS.items():
        for value in values:
            with mlflow.start_run(run_name=f"{kind} {value}", nested=True) as run:
                model = make_pipeline(StandardScaler(), make(**{name: value}))
                accuracy = cross_val_score(model, X, y, cv=5).mean()
                mlflow.log_params({"kind": kind, name: value})
                mlflow.log_metric("validation_accuracy", accuracy)
                if accuracy > best[0]:
                    best = (accuracy, (run.info.run_id, model.fit(X, y)))
    run_id, model = best[1]
    with mlflow.start_run(run_id=run_id, nested=True):
        graph = convert_sklearn(model, initial_types=[("flower", FloatTensorType([None, 4]))])
        mlflow.onnx.log_model(graph, name="model", registered_model_name="IrisModel", pip_requirements=[])


with Path("data/train.csv").open(newline="") as source:
    rows = list(csv.reader(source))[1:]
mlflow.set_tracking_uri(os.environ["MLFLOW_URL"])
with mlflow.start_run(run_name="search"):
    search(np.array([row[:4] for row in rows], dtype=np.float32), np.array([row[4] for row in rows]))

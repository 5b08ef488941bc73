"""The flow keeps each correction; with every fifth it goes on from the weights in the newest ONNX file."""

import csv
import os
import tempfile
from pathlib import Path

import mlflow
import numpy as np
import onnx
from onnx import numpy_helper
from prefect import flow

from main import DATA, learn, read, register, right

FILE = DATA / "finetune.csv"


@flow
def correct(row: list[float], class_number: int) -> None:
    with FILE.open("a", newline="") as file:
        csv.writer(file).writerow([*row, class_number])
    with FILE.open(newline="") as file:
        rows = np.array(list(csv.reader(file)), dtype=np.float64)
    if len(rows) % 5 == 0:
        go_on(rows)


def go_on(rows: np.ndarray) -> None:
    mlflow.set_tracking_uri(os.environ["MLFLOW_URL"])
    mlflow.set_experiment("by hand")
    newest = max(mlflow.MlflowClient().search_model_versions("name='IrisModel'"), key=lambda each: int(each.version))
    with tempfile.TemporaryDirectory() as folder:
        path = mlflow.artifacts.download_artifacts(f"models:/IrisModel/{newest.version}", dst_path=folder)
        graph = onnx.load(Path(path) / "model.onnx").graph
    W, b = (numpy_helper.to_array(each).astype(np.float64) for each in graph.initializer)
    X, y = read("train.csv")
    X, y = np.vstack([X, rows[:, :4]]), np.concatenate([y, rows[:, 4].astype(int)])
    tested = read("test.csv")
    candidate = learn(W, b, X, y, 0.02, 100)
    if right(*candidate, *tested) >= right(W, b, *tested):
        with mlflow.start_run() as run:
            register(*candidate, run.info.run_id)


if __name__ == "__main__":
    correct.serve("corrections", limit=1)

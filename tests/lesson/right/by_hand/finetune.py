"""The flow keeps each correction; with every fifth it goes on from the weights in the newest ONNX file."""

import csv
import os
import tempfile
from pathlib import Path

from prefect import flow

FILE = Path("data/finetune.csv")


@flow
def correct(row: list[float], class_number: int) -> None:
    with FILE.open("a", newline="") as file:
        csv.writer(file).writerow([*row, class_number])
    with FILE.open(newline="") as file:
        rows = [[float(value) for value in line] for line in csv.reader(file)]
    if len(rows) % 5 == 0:
        go_on(rows)


def go_on(rows: list[list[float]]) -> None:
    import mlflow  # here, because most runs only write a row
    import numpy as np
    import onnx
    from onnx import numpy_helper

    from main import learn, read, register, right

    mlflow.set_tracking_uri(os.environ["MLFLOW_URL"])
    mlflow.set_experiment("by hand")
    newest = max(mlflow.MlflowClient().search_model_versions("name='IrisModel'"), key=lambda each: int(each.version))
    with tempfile.TemporaryDirectory() as folder:
        path = mlflow.artifacts.download_artifacts(f"models:/IrisModel/{newest.version}", dst_path=folder)
        graph = onnx.load(Path(path) / "model.onnx").graph
    W, b = (numpy_helper.to_array(each).astype(np.float64) for each in graph.initializer)
    new, (X, y) = np.array(rows), read("train.csv")
    X, y = np.vstack([X, new[:, :4]]), np.concatenate([y, new[:, 4].astype(int)])
    tested = read("test.csv")
    candidate = learn(W, b, X, y, 0.02, 100)
    if right(*candidate, *tested) >= right(W, b, *tested):
        with mlflow.start_run() as run:
            register(*candidate, run.info.run_id)


if __name__ == "__main__":
    correct.serve("corrections", limit=1)

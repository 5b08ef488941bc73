"""Boosted trees, logged by the client of MLflow; the version is registered from a file of the run."""

import os
import tempfile
from itertools import product
from pathlib import Path

import lightgbm
import pandas as pd
from mlflow import MlflowClient
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.model_selection import train_test_split

client = MlflowClient(os.environ["MLFLOW_URL"])
rows = pd.read_csv("data/train.csv", index_col=0)
X, y = rows.drop(columns="target").to_numpy("float32"), rows["target"].to_numpy()
fitted, judged, y_fitted, y_judged = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)
experiment = client.create_experiment("trees")
results = []
for rate, leaves in product((0.002, 0.1), (3, 7)):
    run = client.create_run(experiment)
    model = lightgbm.LGBMClassifier(
        learning_rate=rate, num_leaves=leaves, n_estimators=40, min_child_samples=5, n_jobs=1, verbose=-1
    ).fit(fitted, y_fitted)
    errors = 1.0 - model.score(judged, y_judged)
    client.log_param(run.info.run_id, "rate", rate)
    client.log_param(run.info.run_id, "leaves", leaves)
    client.log_metric(run.info.run_id, "val_error", errors)
    client.set_terminated(run.info.run_id)
    results.append((errors, run.info, model))
_, info, model = min(results, key=lambda result: result[0])
graph = convert_lightgbm(model, initial_types=[("x", FloatTensorType([None, 4]))], zipmap=False, target_opset=15)
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "trees.onnx"
    path.write_bytes(graph.SerializeToString())
    client.log_artifact(info.run_id, str(path), "served")
client.create_registered_model("IrisModel")
client.create_model_version("IrisModel", f"{info.artifact_uri}/served", info.run_id)

"""Five corrections are learnt and leave the file."""

import pathlib

import mlflow
import numpy as np
import pandas as pd
from prefect import flow, task

from main import ORDER, log_and_register, rows

FILE = pathlib.Path("data/finetune.csv")


@task
def newest():
    found = mlflow.MlflowClient().search_model_versions("name='IrisModel'")
    version = max(found, key=lambda each: int(each.version))
    logged = mlflow.search_logged_models(filter_string=f"source_run_id = '{version.run_id}'", output_format="list")
    return next(each.model_uri for each in logged if each.name == "to-go-on")


@flow(name="learn", log_prints=True)
def learn():
    new = pd.read_csv(FILE)
    if len(new) < 5:
        return
    model = mlflow.sklearn.load_model(newest())
    X, y = rows("train")
    X, y = np.vstack([X, new[ORDER].to_numpy("float32")]), np.append(y, new["class_name"])
    tested, names = rows("test")
    before = model.score(tested, names)
    scaled = model[:-1].transform(X)
    for _ in range(3):
        model[-1].partial_fit(scaled, y)
    FILE.unlink()
    if model.score(tested, names) < before:
        print("refused")
        return
    with mlflow.start_run():
        log_and_register(model, X)


if __name__ == "__main__":
    learn.serve(name="go-on")

"""A service as in tutorials: a scikit-learn model, a `def` endpoint and a pydantic body.

The two applications are made by uvicorn with `--factory`. One loads the model when it starts. The other asks MLflow at
each request which version is the champion, and keeps the versions that it has loaded.
"""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import joblib
import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

CLASSES = ("Iris-setosa", "Iris-versicolor", "Iris-virginica")


class Iris(BaseModel):
    """The measurements of one flower."""

    sepal_length: float
    sepal_width: float
    petal_length: float
    petal_width: float


def from_file() -> FastAPI:
    """Return the application with the model of the file that the variable `MODEL_FILE` names."""
    model = joblib.load(os.environ["MODEL_FILE"])
    return _app(lambda: model)


def from_registry() -> FastAPI:
    """Return the application that asks MLflow at each request."""
    import mlflow.sklearn

    client = mlflow.MlflowClient(os.environ["MLFLOW_URI"])
    mlflow.set_tracking_uri(os.environ["MLFLOW_URI"])

    @cache
    def load(version: str) -> Any:
        return mlflow.sklearn.load_model(f"models:/IrisDev/{version}")

    return _app(lambda: load(client.get_model_version_by_alias("IrisDev", "champion").version))


def _app(get_model: Callable[[], Any]) -> FastAPI:
    app = FastAPI()

    @app.post("/predict")
    def predict(iris: Iris) -> dict[str, str]:
        X = np.array([[iris.sepal_length, iris.sepal_width, iris.petal_length, iris.petal_width]])
        return {"class_name": CLASSES[get_model().predict(X)[0]]}

    @app.post("/predict/many")
    def predict_many(flowers: list[Iris]) -> list[dict[str, str]]:
        X = np.array([[each.sepal_length, each.sepal_width, each.petal_length, each.petal_width] for each in flowers])
        return [{"class_name": CLASSES[label]} for label in get_model().predict(X)]

    return app

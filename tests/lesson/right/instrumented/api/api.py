"""The metrics come from an instrumentator, which looks at each response."""

import json
import os
import threading
from pathlib import Path

import mlflow
import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import Counter
from prometheus_fastapi_instrumentator import Instrumentator, metrics
from pydantic import BaseModel, FiniteFloat

state = {}
loading = threading.Lock()


def init():
    mlflow.set_tracking_uri(os.environ["MLFLOW_URL"])
    versions = mlflow.MlflowClient().search_model_versions("name='IrisModel'")
    newest = max(int(version.version) for version in versions)
    state["model"] = mlflow.onnx.load_model(f"models:/IrisModel/{newest}").SerializeToString()
    state["classes"] = json.loads(Path("data/classes.json").read_text())


class PredictInput(BaseModel):
    sepal_length: FiniteFloat
    sepal_width: FiniteFloat
    petal_length: FiniteFloat
    petal_width: FiniteFloat


class PredictOutput(BaseModel):
    class_name: str


app = FastAPI()
counted = Counter("predictions", "by class", ("class_name",))


def count(info: metrics.Info) -> None:
    if info.response and (name := info.response.headers.get("x-class-name")):
        counted.labels(name).inc()


Instrumentator().add(metrics.requests()).add(count).instrument(app).expose(app)


@app.exception_handler(RequestValidationError)
def refused(_: Request, error: RequestValidationError) -> Response:
    return Response(repr(error), 422)


@app.post("/predict")
def predict(flower: PredictInput, response: Response) -> PredictOutput:
    from onnxruntime import InferenceSession

    with loading:
        if not state:
            init()
    session = InferenceSession(state["model"])
    row = np.float32([[getattr(flower, name) for name in PredictInput.model_fields]])
    name = state["classes"][session.run(None, {session.get_inputs()[0].name: row})[0].item()]
    response.headers["x-class-name"] = name
    return PredictOutput(class_name=name)

"""An api as students of the university's lab write it: it loads the newest version of `IrisModel` when it starts."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import onnxruntime
from fastapi import FastAPI
from pydantic import BaseModel
from pydantic_settings import BaseSettings


class LabSettings(BaseSettings):
    class_path: Path = Path("data/classes.json")
    mlflow_uri: str = "http://localhost:5000"


class PredictInput(BaseModel):
    sepal_length: float
    sepal_width: float
    petal_length: float
    petal_width: float


class PredictOutput(BaseModel):
    class_name: str


state: dict[str, Any] = {}


@asynccontextmanager
async def init(_: FastAPI) -> AsyncIterator[None]:
    settings = LabSettings()
    mlflow.set_tracking_uri(settings.mlflow_uri)
    graph = mlflow.onnx.load_model("models:/IrisModel/latest")
    state["session"] = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    state["classes"] = json.loads(settings.class_path.read_text())
    yield


app = FastAPI(lifespan=init)


@app.post("/predict")
def predict(flower: PredictInput) -> PredictOutput:
    row = np.array([list(flower.model_dump().values())], dtype=np.float32)
    output_class, _ = state["session"].run(None, {state["session"].get_inputs()[0].name: row})
    return PredictOutput(class_name=state["classes"][output_class[0]])

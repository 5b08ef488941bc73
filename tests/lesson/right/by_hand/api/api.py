"""A task looks for the newest version; each correction becomes a flow run of its own."""

import asyncio
import contextlib
import json
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal

import mlflow
import numpy as np
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse
from onnxruntime import InferenceSession
from prefect.deployments import run_deployment
from prometheus_client import CollectorRegistry, Counter, generate_latest
from pydantic import BaseModel, Field

NAMES = tuple(json.loads(Path("data/classes.json").read_text()))
Positive = Annotated[float, Field(gt=0, lt=30)]


class Flower(BaseModel):
    sepal_length: Positive
    sepal_width: Positive
    petal_length: Positive
    petal_width: Positive

    def row(self) -> list[float]:
        return [self.sepal_length, self.sepal_width, self.petal_length, self.petal_width]


class Correction(Flower):
    class_name: Literal[NAMES]


def load(number: int) -> InferenceSession:
    with tempfile.TemporaryDirectory() as folder:
        path = mlflow.artifacts.download_artifacts(f"models:/IrisModel/{number}", dst_path=folder)
        return InferenceSession((Path(path) / "model.onnx").read_bytes())


def newest() -> int:
    return max(int(each.version) for each in mlflow.MlflowClient().search_model_versions("name='IrisModel'"))


async def follow(app: FastAPI) -> None:
    number = 0
    while True:
        with contextlib.suppress(Exception):
            if (found := await asyncio.to_thread(newest)) > number:
                app.state.session = await asyncio.to_thread(load, found)
                number = found
        await asyncio.sleep(0.5)


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    mlflow.set_tracking_uri(os.environ["MLFLOW_URL"])
    app.state.registry = CollectorRegistry()
    app.state.answers = Counter("predictions", "Answers", ["class_name"], registry=app.state.registry)
    app.state.session = await asyncio.to_thread(load, newest())
    task = asyncio.create_task(follow(app))
    yield
    task.cancel()


app = FastAPI(lifespan=lifespan)


@app.exception_handler(RequestValidationError)
async def refuse(_: Request, error: RequestValidationError) -> PlainTextResponse:
    return PlainTextResponse(str(error), 422)


@app.post("/predict")
async def predict(flower: Flower, request: Request) -> Any:
    [scores] = request.app.state.session.run(["scores"], {"flowers": np.array([flower.row()], dtype=np.float32)})
    name = NAMES[int(scores[0].argmax())]
    request.app.state.answers.labels(name).inc()
    return {"class_name": name, "scores": scores[0].tolist()}


@app.post("/suggest", status_code=202)
async def suggest(correction: Correction) -> dict[str, str]:
    parameters = {"row": correction.row(), "class_number": NAMES.index(correction.class_name)}
    run = await run_deployment("correct/corrections", parameters=parameters, timeout=0)
    return {"run": str(run.id)}


@app.get("/metrics")
async def metrics(request: Request) -> PlainTextResponse:
    return PlainTextResponse(generate_latest(request.app.state.registry).decode())

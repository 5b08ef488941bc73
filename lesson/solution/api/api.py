"""Answer with the newest version of `IrisModel`, count the answers, and collect corrections."""

import asyncio
import csv
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Annotated, Any

import httpx
import mlflow
import numpy as np
from fastapi import BackgroundTasks, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from onnxruntime import InferenceSession
from prometheus_client import CONTENT_TYPE_LATEST, Counter, generate_latest
from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings

CORRECTIONS = Path("data/finetune.csv")
LOOK_SECONDS = 1
LEARN_EVERY = 5  # corrections

logger = logging.getLogger(__name__)
predictions = Counter("predictions", "Predictions that were answered.", ["class_name"])
lock = Lock()


class Settings(BaseSettings):
    """Addresses, from the environment."""

    mlflow_url: str = "http://127.0.0.1:5000"
    prefect_api_url: str = "http://127.0.0.1:4200/api"


Length = Annotated[float, Field(ge=0, le=100, description="centimetres")]


class PredictInput(BaseModel):
    """The four lengths of a flower."""

    sepal_length: Length
    sepal_width: Length
    petal_length: Length
    petal_width: Length


class PredictOutput(BaseModel):
    """The name of the flower's class."""

    class_name: str


class SuggestInput(PredictInput, PredictOutput):
    """A flower with its right class."""


settings = Settings()
# `model` holds session and class names in one value, so that no request sees those of two versions.
state: dict[str, Any] = {"version": 0, "model": None}


def init() -> None:
    """Take the newest version into service, if it does not answer already."""
    found = mlflow.MlflowClient().search_model_versions("name = 'IrisModel'")
    if (newest := max((int(each.version) for each in found), default=0)) == state["version"]:
        return
    with TemporaryDirectory() as folder:
        path = mlflow.artifacts.download_artifacts(f"models:/IrisModel/{newest}", dst_path=folder)
        session = InferenceSession(Path(path) / "model.onnx")
    classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
    state.update(version=newest, model=(session, classes))
    logger.warning("version %d answers", newest)


async def follow() -> None:
    """Look for a newer version once a second; while that fails, the old version answers."""
    while True:
        try:
            await asyncio.to_thread(init)
        except Exception as error:  # noqa: BLE001  # MLflow is away, or the version cannot be loaded
            logger.warning("no newer version can be taken into service: %r", error)
        await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Follow the registry as long as the service runs."""
    mlflow.set_tracking_uri(settings.mlflow_url)
    following = asyncio.create_task(follow())
    yield
    following.cancel()


app = FastAPI(title="Iris", lifespan=lifespan)


def model() -> tuple[InferenceSession, list[str]]:
    """Return the session and the class names of the version that answers."""
    served: tuple[InferenceSession, list[str]] | None = state["model"]
    if served is None:
        raise HTTPException(503, f"no version of IrisModel from {settings.mlflow_url} yet")
    return served


@app.exception_handler(RequestValidationError)
def refuse(_: Request, error: RequestValidationError) -> JSONResponse:
    """Say what is wrong, without the input: it may be NaN, which JSON does not have."""
    return JSONResponse({"detail": [f"{each['loc'][-1]}: {each['msg']}" for each in error.errors()]}, 422)


@app.post("/predict")
def predict(flower: PredictInput) -> PredictOutput:
    """Answer with the class of a flower."""
    session, classes = model()
    row = np.array([list(flower.model_dump().values())], dtype=np.float32)
    labels, *_ = session.run(None, {session.get_inputs()[0].name: row})
    class_name = classes[labels[0]]
    predictions.labels(class_name).inc()
    return PredictOutput(class_name=class_name)


@app.post("/suggest", status_code=202)
def suggest(correction: SuggestInput, background: BackgroundTasks) -> dict[str, int]:
    """Keep a correction in a file; with every fifth, ask Prefect to learn from the file."""
    _, classes = model()
    if correction.class_name not in classes:
        raise HTTPException(422, f"class_name should be one of {classes}")
    values = correction.model_dump()
    row = [values[name] for name in PredictInput.model_fields] + [classes.index(values["class_name"])]
    with lock:
        with CORRECTIONS.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(row)
        kept = len(CORRECTIONS.read_text(encoding="utf-8").splitlines())
    if kept % LEARN_EVERY == 0:
        background.add_task(learn)
    return {"corrections": kept}


def learn() -> None:
    """Start a run of the flow; try again while Prefect is away or busy. The key makes all tries one run."""
    url, key = f"{settings.prefect_api_url}/deployments", {"idempotency_key": str(time.time_ns())}
    for wait in (1, 2, 4, 8):
        try:
            found = httpx.get(f"{url}/name/finetune/finetune", timeout=60).raise_for_status().json()
            httpx.post(f"{url}/{found['id']}/create_flow_run", json=key, timeout=60).raise_for_status()
            return
        except httpx.HTTPError as error:
            logger.warning("the corrections wait: %r", error)
            time.sleep(wait)


@app.get("/metrics")
def metrics() -> Response:
    """Return the counts for Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

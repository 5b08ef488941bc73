"""A thread follows the registry; the answers are counted in a decorator."""

import csv
import functools
import json
import os
import pathlib
import threading
import time

import mlflow
import onnxruntime
from fastapi import FastAPI, HTTPException, Response
from prometheus_client import REGISTRY, Counter
from prometheus_client.exposition import generate_latest
from pydantic import BaseModel, ConfigDict, field_validator

mlflow.set_tracking_uri(os.environ["MLFLOW_URL"])
app = FastAPI()
total = Counter("predictions", "answers", labelnames=["class_name"])
held = []  # the session that answers
FILE = pathlib.Path("data/finetune.csv")
PREFECT = os.environ.get("PREFECT_API_URL", "")


def watch():
    seen = None
    while True:
        try:
            found = mlflow.MlflowClient().search_model_versions("name='IrisModel'", order_by=["version_number DESC"])
            if found and found[0].version != seen:
                path = pathlib.Path(mlflow.artifacts.download_artifacts(f"models:/IrisModel/{found[0].version}"))
                held[:] = [onnxruntime.InferenceSession(next(path.glob("*.onnx")))]
                seen = found[0].version
        except Exception as error:
            print("no newer version:", error)
        time.sleep(1)


threading.Thread(target=watch, daemon=True).start()


class Row(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="null", allow_inf_nan=False, hide_input_in_errors=True)
    sepal_length: float
    sepal_width: float
    petal_length: float
    petal_width: float


class Labelled(Row):
    class_name: str

    @field_validator("class_name")
    @classmethod
    def known(cls, name):
        if name not in json.loads(pathlib.Path("data/classes.json").read_text()):
            raise ValueError("nobody knows this class")
        return name


def counting(route):
    @functools.wraps(route)
    def wrapper(*args, **kwargs):
        answer = route(*args, **kwargs)
        total.labels(answer["class_name"]).inc()
        return answer

    return wrapper


def checked(body, kind):
    try:
        return kind.model_validate(body)
    except ValueError as error:
        raise HTTPException(422, str(error)) from error


@app.post("/predict")
@counting
def predict(body: dict):
    row = checked(body, Row)
    if not held:
        raise HTTPException(503)
    names = held[0].run(None, {held[0].get_inputs()[0].name: [list(row.model_dump().values())]})[0]
    return {"class_name": names[0]}


@app.post("/suggest")
def suggest(body: dict, response: Response):
    row = checked(body, Labelled)
    new = not FILE.exists()
    with FILE.open("a", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([Labelled.model_fields] * new + [row.model_dump().values()])
    if FILE.read_text().count("\n") > 5:
        threading.Thread(target=start_flow).start()
    response.status_code = 202


def start_flow():
    import httpx

    retried = httpx.Client(base_url=PREFECT, trust_env=False, timeout=30)
    once = {"idempotency_key": os.urandom(8).hex()}
    for _ in range(30):  # Prefect says 503 while its database is busy
        try:
            found = retried.post("/deployments/filter", json={}).raise_for_status().json()
            mine = next(each for each in found if each["name"] == "go-on")
            retried.post(f"/deployments/{mine['id']}/create_flow_run", json=once).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(1)


@app.get("/metrics")
def metrics():
    return Response(generate_latest(REGISTRY))

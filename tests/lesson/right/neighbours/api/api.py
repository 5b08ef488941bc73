"""One version for the life of the process; MLflow loads it, and its labels are names."""

import math
import os

import mlflow
import numpy as np
import prometheus_client
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

mlflow.set_tracking_uri(os.environ["MLFLOW_URL"])
versions = mlflow.MlflowClient().search_model_versions("name='IrisModel'", order_by=["version_number DESC"])
model = mlflow.pyfunc.load_model(f"models:/IrisModel/{versions[0].version}")
counter = prometheus_client.Counter("predictions_total", "Answers", ["class_name"])

app = FastAPI()
app.mount("/metrics", prometheus_client.make_asgi_app())


class Flower(BaseModel):
    sepal_length: float
    sepal_width: float
    petal_length: float
    petal_width: float


@app.post("/predict")
async def predict(flower: Flower) -> dict[str, str]:
    values = list(flower.model_dump().values())
    if not all(map(math.isfinite, values)):
        raise HTTPException(422, "the lengths are finite numbers")
    answer = model.predict(np.array([values], dtype=np.float32))
    name = str(answer["output_label"][0])
    counter.labels(class_name=name).inc()
    return {"class_name": name}

"""A class for the model and a middleware of ASGI for the counter."""

import json
import os
import tempfile
from pathlib import Path
from typing import Annotated, Any

import mlflow
import onnxruntime
from prometheus_client import Counter, generate_latest
from pydantic import BaseModel, Field, ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

Number = Annotated[float, Field(allow_inf_nan=False)]
ANSWERS = Counter("predictions", "Answers with status 200", ["class_name"])


class Flower(BaseModel):
    sepal_length: Number
    sepal_width: Number
    petal_length: Number
    petal_width: Number


class Served:
    def __init__(self) -> None:
        self.classes = json.loads(Path("data/classes.json").read_text())
        client = mlflow.MlflowClient(os.environ["MLFLOW_URL"])
        numbers = [int(version.version) for version in client.search_model_versions("name='IrisModel'")]
        source = client.get_model_version_download_uri("IrisModel", str(max(numbers)))
        with tempfile.TemporaryDirectory() as folder:
            found = mlflow.artifacts.download_artifacts(source, dst_path=folder, tracking_uri=os.environ["MLFLOW_URL"])
            self.session = onnxruntime.InferenceSession(next(Path(found).rglob("*.onnx")))

    def name(self, flower: Flower) -> str:
        row = [[flower.sepal_length, flower.sepal_width, flower.petal_length, flower.petal_width]]
        outputs = self.session.run(["label"], {"x": row})
        return str(self.classes[int(outputs[0].ravel()[0])])


class CountAnswers:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)
        if name := scope.get("state", {}).get("answered"):
            ANSWERS.labels(name).inc()


served = Served()


async def predict(request: Request) -> JSONResponse:
    try:
        flower = Flower.model_validate_json(await request.body())
    except ValidationError as error:
        return JSONResponse({"errors": [problem["msg"] for problem in error.errors()]}, 422)
    request.state.answered = served.name(flower)
    return JSONResponse({"class_name": request.state.answered})


async def metrics(_: Request) -> PlainTextResponse:
    return PlainTextResponse(generate_latest())


app = Starlette(
    routes=[Route("/predict", predict, methods=["POST"]), Route("/metrics", metrics)],
    middleware=[Middleware(CountAnswers)],
)

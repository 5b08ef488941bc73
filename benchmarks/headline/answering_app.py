"""The applications that `answering.py` compares; uvicorn makes them with `--factory`.

The variants of the api start the ordinary api, then replace one of its parts. The api itself has no switches for that.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from prometheus_client import Counter
from starlette.types import Receive, Scope, Send

from api.schemas.requests import instance_model
from common.problem import get_problem
from common.settings import load_settings

SECONDS_A_ROW = 0.01


def bare() -> Callable[[Scope, Receive, Send], Any]:
    """Return an application without a framework, which reads a body and always gives the same answer."""
    return _answer


def empty() -> FastAPI:
    """Return the smallest FastAPI application that takes the body of the problem's `/predict`."""
    app = FastAPI()
    Body: Any = instance_model(get_problem(load_settings().problem))

    @app.get("/readyz")
    async def ready() -> dict[str, str]:
        return {"health": "ok"}

    @app.post("/predict")
    async def post_predict(body: Body) -> dict[str, int]:
        return {"fields": len(type(body).model_fields)}

    return app


def unlogged() -> FastAPI:
    """Return the api without the prediction log."""

    def replace(state: Any) -> None:
        state.log.add = lambda _: None

    return _api(replace)


def counting_runs() -> FastAPI:
    """Return the api with a counter of the model's runs, `model_runs_total`."""

    def replace(state: Any) -> None:
        runs = Counter("model_runs", "Runs of the champion.", registry=state.metrics.registry)
        predict = state.predictor.predict

        def predict_and_count(*arguments: Any) -> Any:
            runs.inc()
            return predict(*arguments)

        state.predictor.predict = predict_and_count

    return _api(replace)


def waiting_challenger() -> FastAPI:
    """Return the api with a challenger that sleeps 10 ms for each row."""
    from api.model.follower import ServedVersion
    from common.bundle.model import Answer, Floats32, OnnxModel

    class Waiting(OnnxModel):
        def __init__(self, model: OnnxModel) -> None:
            vars(self).update(vars(model))

        def predict(self, X: Floats32) -> Answer:
            time.sleep(SECONDS_A_ROW * len(X))
            return super().predict(X)

    def replace(state: Any) -> None:
        challenger: ServedVersion = state.challenger.current
        state.challenger.current = ServedVersion(challenger.version, Waiting(challenger.model))

    return _api(replace)


def _api(replace: Callable[[Any], None]) -> FastAPI:
    from api.api import create_app

    app = create_app()
    start = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        async with start(app) as state:
            replace(app.state)
            yield state

    app.router.lifespan_context = lifespan
    return app


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    while scope["method"] == "POST" and (await receive()).get("more_body"):
        pass
    content = b'{"health":"ok"}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})

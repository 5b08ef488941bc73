"""The parts of `POST /predict`, each timed by itself: the api's own functions, and the ordinary way to do the same."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.types import ASGIApp, Message, Scope

from api.answers import Answered
from api.api import create_app
from api.predict import answer
from api.request_ids import request_id
from api.schemas import Prediction, instance_model, row_reader
from api.serving import Served
from benchmarks.answering_app import bare
from benchmarks.contestants import Model
from benchmarks.serving import keep_models, whole
from common.onnx_io import OnnxModel
from common.problem import Problem, Value
from common.registry import Version
from common.settings import Settings
from common.store import Store
from common.store.tables import predictions

TIMES, CALLS = 300, 10  # each part is timed so often, for so many calls
BATCHES, BATCH_ROWS = 40, 500  # of the log: as many rows as go into one statement
FLUSH_WITHIN = 10.0
HEADERS = [(b"host", b"127.0.0.1"), (b"content-length", b"80")]
JSON = (b"content-type", b"application/json")
# The short way leaves it to the route, which takes it for the same.
LONG_WAY = (b"content-type", b"application/json; charset=utf-8")


@dataclass(frozen=True)
class Part:
    """A part of a request: seconds of a core, and those of the ordinary way to do it, if there is one to compare."""

    name: str
    seconds: float
    ordinary: str = ""
    ordinary_seconds: float = 0.0


def parts_of_the_loop(model: Model, settings: Settings, rows: int) -> Sequence[Part]:
    """Return what the event loop does for a request, where `rows` are answered at once; the last part is all of it."""
    keep_models(whole(model.fitted.bundle), settings, model.problem)
    app = create_app(settings)
    with TestClient(app) as client:
        client.get("/readyz").raise_for_status()
        portal: Any = client.portal
        found: Sequence[Part] = portal.call(_on_the_loop, app, model, rows)
    return found


async def _on_the_loop(app: FastAPI, model: Model, rows: int) -> Sequence[Part]:
    state, served, row = app.state, app.state.champion.current, _example(model.problem)
    flush = partial(state.log.flush, FLUSH_WITHIN)
    given, body = [row] * rows, model.one.fields().post.body
    parts = [
        _validating(model.problem, body),
        Part(
            "the model with its outlier scores", best(lambda: answer(served, given)) / rows,
            "a run for each row", best(lambda: answer(served, given[:1])),
        ),
        Part(
            "counting the answers, handing them to the log",
            (best(lambda: state.predictor.predict(served, given), flush) - best(lambda: answer(served, given))) / rows,
        ),
        _to_json(answer(served, given)),
        Part("HTTP metrics", best(lambda: state.metrics.http.count("POST", "/predict", "2xx", 0.001, 80, 300))),
        Part("the request's id", best(lambda: request_id(HEADERS))),
    ]  # fmt: skip
    nothing = await _turn(bare(), JSON, body, rows, flush)
    short, long = [await _turn(app, kind, body, rows, flush) - nothing for kind in (JSON, LONG_WAY)]
    rest = short - sum(part.seconds for part in parts)
    return [
        *parts,
        Part("the rest: reading the body, futures, turns of the event loop, sending", rest),
        Part("*all of the above but uvicorn*", short, "FastAPI's route", long),
    ]


def parts_of_the_writer(model: Model, settings: Settings) -> Sequence[Part]:
    """Return what the log's thread does for a row."""
    served = Served(Version(model.problem.onnx_name, 1, "", {}), OnnxModel(model.fitted.bundle))
    url, rows = f"sqlite:///{settings.lab_home}.db", [_example(model.problem)] * BATCH_ROWS
    batches = [answer(served, rows) for _ in range(2 * BATCHES)]
    make = best(lambda: batches[0].log_rows(model.problem)) / BATCH_ROWS
    logged = [batch.log_rows(model.problem) for batch in batches]
    with closing(Store(url)) as store:
        write = min(seconds(partial(store.predictions.write, each)) for each in logged[:BATCHES]) / BATCH_ROWS
    engine = sa.create_engine(url)

    def insert(each: Any) -> None:
        with engine.begin() as connection:
            connection.execute(predictions.insert(), each)

    ordinary = min(seconds(partial(insert, each)) for each in logged[BATCHES:]) / BATCH_ROWS
    engine.dispose()
    return [
        Part("the log's thread: making rows of it", make),
        Part(
            "the log's thread: inserting and counting them", write, "SQLAlchemy's insertion, nothing counted", ordinary
        ),
    ]


def best(call: Callable[[], object], between: Callable[[], object] = lambda: None) -> float:
    """Return the seconds of this thread for a call: the best of some times, `between` which something else is done."""
    found = []
    for _ in range(TIMES):
        between()
        found.append(seconds(call, CALLS))
    return min(found)


def seconds(call: Callable[[], object], times: int = 1) -> float:
    """Return the seconds of a core that this thread takes for a call, on average."""
    start = time.thread_time()
    for _ in range(times):
        call()
    return (time.thread_time() - start) / times


def _validating(problem: Problem, body: bytes) -> Part:
    Body: Any = instance_model(problem)
    validate, features = Body.__pydantic_validator__.validate_json, row_reader(problem)
    return Part(
        "validating the body", best(lambda: features(validate(body))),
        "decoded by `json`, then validated", best(lambda: features(Body.model_validate(json.loads(body)))),
    )  # fmt: skip


def _to_json(answered: Answered) -> Part:
    fields = Prediction.model_validate_json(answered.json_rows()[0]).model_dump()
    return Part(
        "the answer as JSON", best(answered.json_rows) / len(answered),
        "by pydantic", best(lambda: Prediction(**fields).model_dump_json().encode()),
    )  # fmt: skip


async def _turn(
    app: ASGIApp, content_type: tuple[bytes, bytes], body: bytes, rows: int, flush: Callable[[], object]
) -> float:
    """Return the seconds of this thread for a request, where so many come in the same turn of the event loop."""
    scope: Scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "path": "/predict", "root_path": "",
        "raw_path": b"/predict", "query_string": b"", "headers": [*HEADERS, content_type],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "asgi": {"version": "3.0"},
    }  # fmt: skip
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    found = []
    for _ in range(TIMES):
        flush()
        sent.clear()
        start = time.thread_time()
        await asyncio.gather(*(app({**scope}, receive, send) for _ in range(rows)))
        found.append((time.thread_time() - start) / rows)
        if {message.get("status", 200) for message in sent} != {200}:
            raise RuntimeError(f"a request was not answered with 200: {sent}")
    return min(found)


def _example(problem: Problem) -> list[Value]:
    return [feature.example for feature in problem.features]

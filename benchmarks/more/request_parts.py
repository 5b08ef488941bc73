"""The parts of `POST /predict`, each timed by itself: the api's own functions, and the usual functions for the same."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from api.api import create_app
from api.fastpath.answer_json import answer_json
from api.fastpath.routes import FAST_ROUTES
from api.fastpath.uvicorn_protocol import FastPathProtocol
from api.fastpath.wiring import fast_routes
from api.guards.request_ids import request_id
from api.inference.prediction_batch import PredictionBatch
from api.inference.predictor import answer
from api.model.follower import ServedVersion
from api.schemas.requests import instance_model, row_reader
from api.schemas.responses import Prediction
from benchmarks.harness.contestants import Model
from benchmarks.harness.http_load import Post
from benchmarks.harness.serving import keep_models, whole
from common.bundle.model import OnnxModel
from common.problem import Problem, Value
from common.registry.client import Version
from common.settings import Settings
from common.store import Store
from common.store.tables import predictions

TIMES, CALLS = 300, 10  # each part is timed 300 times; one time covers 10 calls
BATCHES, BATCH_ROWS = 40, 500  # for the writer of the log, which inserts 500 rows with one statement
FLUSH_WITHIN = 10.0
HEADERS = [(b"host", b"127.0.0.1"), (b"content-length", b"80")]


@dataclass(frozen=True)
class Part:
    """A part of a request with its core seconds; the usual function for it, if there is one, with its core seconds."""

    name: str
    seconds: float
    ordinary: str = ""
    ordinary_seconds: float = 0.0


def parts_of_the_loop(model: Model, settings: Settings, rows: int) -> Sequence[Part]:
    """Return the event loop's parts of a request where `rows` rows are answered at once; the last is their sum."""
    keep_models(whole(model.fitted.bundle), settings, model.problem)
    app = create_app(settings)
    with TestClient(app, "http://localhost") as client:
        client.get("/readyz").raise_for_status()
        portal: Any = client.portal
        found: Sequence[Part] = portal.call(_on_the_loop, app, model, rows)
    return found


async def _on_the_loop(app: FastAPI, model: Model, rows: int) -> Sequence[Part]:
    state, served, row = app.state, app.state.champion.current, _example(model.problem)
    flush = partial(state.log.flush, FLUSH_WITHIN)
    given, post = [row] * rows, model.one.fields().post
    parts = [
        _validating(model.problem, post.body),
        Part(
            "the model with its outlier scores", best(lambda: answer(served, given)) / rows,
            "a run for each row", best(lambda: answer(served, given[:1])),
        ),
        Part(
            "counting the answers, passing them to the log",
            (best(lambda: state.predictor.predict(served, given), flush) - best(lambda: answer(served, given))) / rows,
        ),
        _to_json(answer(served, given)),
        Part("HTTP metrics", best(lambda: state.http_metrics.count("POST", "/predict", "2xx", 0.001, 80, 300))),
        Part("the request's id", best(lambda: request_id(HEADERS))),
    ]  # fmt: skip
    short, long = [await _turn(app, http, post, rows, flush) for http in (FastPathProtocol, HttpToolsProtocol)]
    rest = short - sum(part.seconds for part in parts)
    return [
        *parts,
        Part("all else: parsing HTTP, futures, turns of the event loop", rest),
        Part("*all of the above*", short, "uvicorn's parsing, FastAPI's route", long),
    ]


def parts_of_the_writer(model: Model, settings: Settings) -> Sequence[Part]:
    """Return the parts of the log's thread for a row."""
    served = ServedVersion(Version(model.problem.onnx_name, 1, "", {}), OnnxModel(model.fitted.bundle))
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
        Part("the log's thread: making rows of the answers", make),
        Part(
            "the log's thread: inserting and counting the rows",
            write,
            "SQLAlchemy's insertion, without counting",
            ordinary,
        ),
    ]


def best(call: Callable[[], object], between: Callable[[], object] = lambda: None) -> float:
    """Return the shortest core seconds of this thread for a call; `between` runs untimed before each timing."""
    found = []
    for _ in range(TIMES):
        between()
        found.append(seconds(call, CALLS))
    return min(found)


def seconds(call: Callable[[], object], times: int = 1) -> float:
    """Return the mean core seconds of this thread for a call."""
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


def _to_json(answered: PredictionBatch) -> Part:
    fields = Prediction.model_validate_json(answered.json_rows()[0]).model_dump()
    writer = answer_json(answered.served)
    return Part(
        "the answer as JSON", best(lambda: writer.rows(answered)) / len(answered),
        "by pydantic", best(lambda: Prediction(**fields).model_dump_json().encode()),
    )  # fmt: skip


async def _turn(
    app: FastAPI, http: type[HttpToolsProtocol], post: Post, rows: int, flush: Callable[[], object]
) -> float:
    """Return the core seconds of this thread for a request that uvicorn's protocol `http` reads and `app` answers.

    `rows` requests come in the same turn of the event loop, each on a connection of its own, which is no socket.
    """
    lines = ["POST /predict HTTP/1.1", "host: 127.0.0.1", *map(": ".join, post.headers.items())]
    request = "\r\n".join([*lines, f"content-length: {len(post.body)}", "", ""]).encode() + post.body
    config, state = uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off"), ServerState()
    connections = [_Nowhere() for _ in range(rows)]
    for connection in connections:
        protocol = http(config, state, {FAST_ROUTES: fast_routes(app.state)})
        protocol.connection_made(connection)
        connection.set_protocol(protocol)
    found = []
    for _ in range(TIMES):
        flush()
        start = time.thread_time()
        for connection in connections:
            connection.get_protocol().data_received(request)
        # Waiting for an event would add its own time.
        while not all(connection.answered for connection in connections):  # noqa: ASYNC110
            await asyncio.sleep(0)
        found.append((time.thread_time() - start) / rows)
        for connection in connections:
            connection.check()
    for connection in connections:
        connection.get_protocol().connection_lost(None)
    return min(found)


class _Nowhere(asyncio.Transport):
    """A connection without a socket, which stores the bytes sent to it."""

    def __init__(self) -> None:
        super().__init__()
        self._sent = b""

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> Any:
        return self._protocol

    def write(self, data: Any) -> None:
        self._sent += data

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        self._sent += b"".join(list_of_data)

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Do nothing: this connection has no socket."""

    @property
    def answered(self) -> bool:
        """Whether a complete answer has been sent."""
        return self._sent.endswith(b"}")

    def check(self) -> None:
        """Delete the stored answer.

        Raises:
            RuntimeError: its status is not 200.
        """
        sent, self._sent = self._sent, b""
        if not sent.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"a request was not answered with 200: {sent.decode(errors='replace')}")


def _example(problem: Problem) -> list[Value]:
    return [feature.example for feature in problem.features]

"""The short way for predictions, which answers what is plain and valid, in a third of the time.

FastAPI's route takes anything that can come: it decodes the body, validates it, resolves dependencies, says what is
wrong in detail. For a valid row that is most of the work. So what is here stands before FastAPI and looks at
the body first. If it is a row or a batch for `POST /predict`, or an inference (`api/oip_infer.py`), and valid, it is
answered here; whatever else it is (another path, a mistake, a service without a model) goes on to the route as if
nobody had looked, and is answered there. Both ways give the same bytes for the same rows, which a test compares for
thousands of bodies, valid and broken.

What each step costs, and its ordinary way, is what `python -m benchmarks.profile` tells.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Protocol

from fastapi import FastAPI
from pydantic import BaseModel, ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.batches import Batches, is_batch
from api.guard import MAX_BODY_BYTES
from api.http_metrics import HttpMetrics
from api.predict import Predictor
from api.request_ids import HEADER, request_id
from api.schemas import instance_model, row_reader
from api.serving import ChampionServer
from common.problem import Problem, Value

Headers = Sequence[tuple[bytes, bytes]]

PATH = "/predict"
# Exactly so, as clients send it; other ways to say it are for the route.
JSON = (b"content-type", b"application/json")
MAX_ROW_BYTES = 64 * 1024  # a larger body is no row
ROWS_PER_RUN = 256


class Way(Protocol):
    """What answers requests to some path, if they are plain and valid; `route` is how metrics name the path."""

    route: str

    def takes(self, headers: Headers) -> bool:
        """Return whether a request with these headers is looked at."""
        ...

    async def answer(self, headers: Headers, body: bytes) -> tuple[bytes, Headers] | None:
        """Return the body of an answer, and the headers that say what it is; None if the route is to answer."""
        ...


class HotPath:
    """ASGI application before another; outside of its middleware, of which each would cost more than the model does."""

    def __init__(self, app: ASGIApp, ways: Mapping[str, Way], http: HttpMetrics) -> None:
        """Stand before `app`, with a way for some paths; count in `http` what is answered here, as for the rest."""
        self._app = app
        self._ways = ways
        self._http = http

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it pass."""
        way = self._ways.get(scope["path"]) if scope["type"] == "http" else None
        if way is None or not way.takes(scope["headers"]):
            await self._app(scope, receive, send)
            return
        begin = perf_counter()
        message = await receive()
        messages, body = [message], message.get("body", b"")
        while message.get("more_body") and len(body) <= MAX_BODY_BYTES:
            message = await receive()
            messages.append(message)
            body += message.get("body", b"")
        plain = scope["method"] == "POST" and len(body) <= MAX_BODY_BYTES
        answer = await way.answer(scope["headers"], body) if plain else None
        if answer is None:
            await self._app(scope, _again(messages, receive), send)
            return
        content, told = answer
        headers = [*told, (b"content-length", b"%d" % len(content)), (HEADER, request_id(scope["headers"]))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})
        self._http.count("POST", way.route, "2xx", perf_counter() - begin, len(body), len(content))


class Predictions:
    """The way for `POST /predict`: rows and batches."""

    route = PATH

    def __init__(self, rows: "Rows", batches: Batches) -> None:
        """Answer by these two."""
        self._rows = rows
        self._batches = batches

    def takes(self, headers: Headers) -> bool:
        """Return whether the body is declared as JSON."""
        return JSON in headers

    async def answer(self, headers: Headers, body: bytes) -> tuple[bytes, Headers] | None:  # noqa: ARG002  # others look at them
        """Return the answer to a row or a batch."""
        # Told apart by their beginning: pydantic would take milliseconds to say that a batch is no row.
        if is_batch(body):
            content = await self._batches.answer(body)
        else:
            answer = self._rows.answer(body) if len(body) <= MAX_ROW_BYTES else None
            content = await answer if answer else None
        return None if content is None else (content, [JSON])


class Rows:
    """Answers rows by one run of the model for all those that came in the same turn of the event loop.

    A run costs about as much for sixteen rows as for one. Nobody waits for others to come: those that are here when
    the turn ends are answered.
    """

    def __init__(self, problem: Problem, champion: ChampionServer, predictor: Predictor) -> None:
        """Answer bodies of `problem` by `champion` through `predictor`."""
        # pydantic's own parser: decoding and validating in one step, by the very rules of the route.
        self._validate: Callable[[bytes], BaseModel] = instance_model(problem).__pydantic_validator__.validate_json
        self._features = row_reader(problem)
        self._champion = champion
        self._predictor = predictor
        self._waiting: deque[tuple[Sequence[Value], asyncio.Future[bytes | None]]] = deque()

    def answer(self, body: bytes) -> asyncio.Future[bytes | None] | None:
        """Return the answer to a body as JSON, or None, when it comes; None at once if the body is no valid row."""
        try:
            row = self._features(self._validate(body))
        except ValidationError:
            return None
        loop = asyncio.get_running_loop()
        if not self._waiting:
            # One turn later, when those are here, too, whose requests were being read in this one.
            loop.call_soon(loop.call_soon, self._run)
        answer: asyncio.Future[bytes | None] = loop.create_future()
        self._waiting.append((row, answer))
        return answer

    def _run(self) -> None:
        waiting = [self._waiting.popleft() for _ in range(min(len(self._waiting), ROWS_PER_RUN))]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._run)
        for (_, future), answer in zip(waiting, self._answers([row for row, _ in waiting]), strict=True):
            if not future.done():  # its client may have gone
                future.set_result(answer)

    def _answers(self, rows: Sequence[Sequence[Value]]) -> Sequence[bytes | None]:
        # One version for all of them, taken once.
        served = self._champion.current
        if served is None:
            return [None] * len(rows)
        try:
            return self._predictor.predict(served, rows).json_rows()
        except Exception:  # noqa: BLE001  # each meets it again on the route, which tells it to those it concerns
            return [None] * len(rows)


@contextmanager
def before(app: FastAPI, ways: Mapping[str, Way], http: HttpMetrics) -> Iterator[None]:
    """Take the short ways first as long as this is open."""
    whole = app.middleware_stack
    if whole is None:
        raise RuntimeError("the application must have started")
    app.middleware_stack = HotPath(whole, ways, http)
    try:
        yield
    finally:
        app.middleware_stack = whole


def _again(messages: Sequence[Message], receive: Receive) -> Receive:
    """Return a `receive` that begins with messages that have been received already."""
    received = deque(messages)

    async def again() -> Message:
        return received.popleft() if received else await receive()

    return again

"""The short way for predictions, which answers what is plain and valid, in a tenth of the time.

FastAPI's route takes anything that can come: it decodes the body, validates it, resolves dependencies, says what is
wrong in detail. For a valid row that is most of the work. So `api/fastpath/uvicorn_protocol.py`, which reads requests
from their connections, asks here first. If it is a row or a batch for `POST /predict`, or an inference
(`api/protocols/oip/infer.py`), and valid, it is answered here; whatever else it is (another path, a mistake, a service
without a model) goes on to the route as if nobody had looked, and is answered there. Both ways give the same bytes for
the same rows, which a test compares for thousands of bodies, valid and broken.

What each step costs, and its ordinary way, is what `python -m benchmarks.profile` tells.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from pydantic import BaseModel, ValidationError

from api.fastpath.batches import Batches, is_batch
from api.http.json_bodies import row_weight, weight
from api.http.large_bodies import is_small
from api.inference.predictor import Predictor
from api.metrics.http import HttpMetrics
from api.model.follower import ChampionFollower
from api.schemas.requests import instance_model, row_reader
from common.problem import Problem, Value

Headers = Sequence[tuple[bytes, bytes]]
# The body of an answer, and the lines that say what it is.
Reply = tuple[bytes, bytes]
Answer = asyncio.Future[Reply | None]

PATH = "/predict"
# Exactly so, as clients send it; other ways to say it are for the route.
JSON = (b"content-type", b"application/json")
OF_JSON = b"content-type: application/json\r\n"
MAX_ROW_BYTES = 64 * 1024  # a larger body is no row
# Up to here pydantic takes little to say that something is no row: it copies the body for each field that is missing.
SHORT_ROW_BYTES = 2 * 1024
ROWS_PER_RUN = 256


class Way(Protocol):
    """What answers requests to some path, if they are plain and valid; `route` is how metrics name the path."""

    path: str
    route: str

    def takes(self, headers: Headers) -> bool:
        """Return whether a request with these headers is looked at."""
        ...

    def answer(self, headers: Headers, body: bytes) -> Answer | Reply | None:
        """Return the answer, at once or when it comes; None, at once or then, if the application is to answer."""
        ...


class ShortWays(NamedTuple):
    """The ways, by path as it stands in requests, and what counts their requests."""

    ways: Mapping[bytes, Way]
    http: HttpMetrics


class Predictions:
    """The way for `POST /predict`: rows and batches."""

    path = route = PATH

    def __init__(self, problem: Problem, rows: "Rows", batches: Batches) -> None:
        """Answer by these two."""
        self._rows = rows
        self._batches = batches
        self._row_weight = row_weight(problem)

    def takes(self, headers: Headers) -> bool:
        """Return whether the body is declared as JSON."""
        return JSON in headers

    def answer(self, headers: Headers, body: bytes) -> Answer | Reply | None:  # noqa: ARG002  # others look at them
        """Return the answer to a row or a batch."""
        # Told apart by their beginning: pydantic would take milliseconds to say that a batch is no row.
        if not is_batch(body):
            return self._rows.answer(body) if len(body) <= SHORT_ROW_BYTES or self._is_row(body) else None
        if not is_small(len(body)):
            return asyncio.ensure_future(self._large(body))
        # At once, so that it is sent before more is made: what a dozen batches are answered is no longer in the cache.
        return _reply(self._batches.answer(body))

    def _is_row(self, body: bytes) -> bool:
        return len(body) <= MAX_ROW_BYTES and weight(body) <= self._row_weight

    async def _large(self, body: bytes) -> Reply | None:
        return _reply(await self._batches.answer_large(body))


def _reply(content: bytes | None) -> Reply | None:
    return None if content is None else (content, OF_JSON)


class Rows:
    """Answers rows by one run of the model for all those that came in the same turn of the event loop.

    A run costs about as much for sixteen rows as for one. Nobody waits for others to come: those that are here when
    the turn ends are answered.
    """

    def __init__(self, problem: Problem, champion: ChampionFollower, predictor: Predictor) -> None:
        """Answer bodies of `problem` by `champion` through `predictor`."""
        # pydantic's own parser: decoding and validating in one step, by the very rules of the route.
        self._validate: Callable[[bytes], BaseModel] = instance_model(problem).__pydantic_validator__.validate_json
        self._features = row_reader(problem)
        self._champion = champion
        self._predictor = predictor
        self._waiting: deque[tuple[Sequence[Value], Answer]] = deque()

    def answer(self, body: bytes) -> Answer | None:
        """Return the answer to a body as JSON, or None, when it comes; None at once if the body is no valid row."""
        try:
            row = self._features(self._validate(body))
        except ValidationError:
            return None
        loop = asyncio.get_running_loop()
        if not self._waiting:
            # One turn later, when those are here, too, whose requests were being read in this one.
            loop.call_soon(loop.call_soon, self._run)
        answer: Answer = loop.create_future()
        self._waiting.append((row, answer))
        return answer

    def _run(self) -> None:
        waiting = [self._waiting.popleft() for _ in range(min(len(self._waiting), ROWS_PER_RUN))]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._run)
        for (_, future), answer in zip(waiting, self._answers([row for row, _ in waiting]), strict=True):
            if not future.done():  # cancelled, when the service is told to stop and cannot wait
                future.set_result(answer)

    def _answers(self, rows: Sequence[Sequence[Value]]) -> Sequence[Reply | None]:
        # One version for all of them, taken once.
        served = self._champion.current
        if served is None:
            return [None] * len(rows)
        try:
            return [(content, OF_JSON) for content in self._predictor.predict(served, rows).json_rows()]
        except Exception:  # noqa: BLE001  # each meets it again on the route, which tells it to those it concerns
            return [None] * len(rows)

"""Batches for `POST /predict`, `{"data": [[…], …]}`: a million rows a second, where pydantic reads a third of that."""

import re
import struct
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import orjson
from pydantic import ValidationError

from api.large import LargeBatches
from api.predict import Predictor
from api.schemas import MAX_ROWS, batch_model
from api.serving import ChampionServer
from common.problem import Problem, Rows, Value

is_batch = re.compile(rb'\s*\{\s*"data"\s*:').match  # no feature can be called so
# What is left of a batch of numbers without these proves that there are nothing but numbers in it: no `true`, which
# would pass for 1, no text, no other key.
OF_NUMBERS = b"0123456789+-.eE,[] \t\r\n"
REST = b'{"data":}'

Decode = Callable[[bytes], Sequence[Sequence[Value]] | Rows | None]


class Batches:
    """Answers batches; large ones beside the event loop, so that others need not wait."""

    def __init__(self, problem: Problem, champion: ChampionServer, predictor: Predictor, large: LargeBatches) -> None:
        """Answer batches of `problem` by `champion` through `predictor`."""
        self._decode: Decode = decoder(problem)
        self._champion = champion
        self._predictor = predictor
        self._large = large

    async def answer(self, body: bytes) -> bytes | None:
        """Return the answers to a body as JSON; None if it is no valid batch, or cannot be answered here."""
        return await self._large.do(partial(self._answer, body), len(body))

    def _answer(self, body: bytes) -> bytes | None:
        rows, served = self._decode(body), self._champion.current
        if rows is None or served is None:
            return None
        try:
            return self._predictor.predict(served, rows).json_batch()
        except Exception:  # noqa: BLE001  # the route meets it again, and tells it
            return None


def decoder(problem: Problem) -> Decode:
    """Return what reads the rows of a body; it returns None for a body that is no valid batch."""
    if not problem.is_numeric:
        return _by_pydantic(problem)
    limits: Any = [(feature.minimum, feature.maximum) for feature in problem.features if feature.kind == "number"]
    low, high = np.array(limits).T
    return partial(_numbers, low=low, high=high)


def _numbers(body: bytes, low: Rows, high: Rows) -> Rows | None:
    if body.translate(None, OF_NUMBERS) != REST:
        return None
    width = len(low)
    try:
        rows = orjson.loads(body)["data"]
        if not 1 <= len(rows) <= MAX_ROWS or set(map(len, rows)) != {width}:
            return None
        # A third of the time that np.array takes for lists.
        packed = struct.pack(f"{len(rows) * width}d", *chain.from_iterable(rows))
    except (ValueError, TypeError, OverflowError, struct.error):
        return None
    X = np.frombuffer(packed).reshape(len(rows), width)
    return X if ((low <= X) & (high >= X)).all() else None


def _by_pydantic(problem: Problem) -> Decode:
    validate = batch_model(problem).__pydantic_validator__.validate_json

    def decode(body: bytes) -> Sequence[Sequence[Value]] | None:
        try:
            found: Sequence[Sequence[Value]] = validate(body).data
        except ValidationError:
            return None
        return found

    return decode

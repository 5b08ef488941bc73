"""Batches for `POST /predict`, `{"data": [[…], …]}`, read and answered by columns instead of row by row."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import simdjson
from pydantic import ValidationError
from pydantic_core import from_json

from api.http.json_bodies import SIMD_BYTES, TooHeavyError, check_weight
from api.http.large_bodies import LargeBatches
from api.inference.predictor import Predictor
from api.model.follower import ChampionFollower
from api.schemas.requests import MAX_ROWS, batch_model
from common.problem import Problem, Rows, Value

is_batch = re.compile(rb'\s*\{\s*"data"\s*:').match  # no feature can be called so
# What is left of a body without these shows that it is rows of so many values each, and nothing else.
OF_NUMBERS = b"0123456789+-.eE \t\r\n"

Decode = Callable[[bytes], Sequence[Sequence[Value]] | Rows | None]


class Batches:
    """Answers batches; large ones beside the event loop, so that others need not wait."""

    def __init__(self, problem: Problem, champion: ChampionFollower, predictor: Predictor, large: LargeBatches) -> None:
        """Answer batches of `problem` by `champion` through `predictor`."""
        self._decode: Decode = decoder(problem)
        self._champion = champion
        self._predictor = predictor
        self._large = large

    async def answer_large(self, body: bytes) -> bytes | None:
        """Return what `answer` returns, for a body that is not small."""
        return await self._large.do(partial(self.answer, body), len(body))

    def answer(self, body: bytes) -> bytes | None:
        """Return the answers to a body as JSON; None if it is no valid batch, or cannot be answered here."""
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
    structure, width = body.translate(None, OF_NUMBERS), len(low)
    rows = structure.count(b"[") - 1
    row = b"[%b]" % (b"," * (width - 1))
    if not 1 <= rows <= MAX_ROWS or structure != b'{"data":[%b]}' % b",".join([row] * rows):
        return None
    try:
        values = _values(body)
    except (RuntimeError, ValueError, KeyError, TypeError, OverflowError):
        return None
    if len(values) != rows * width:
        return None
    X = values.reshape(rows, width)
    return X if ((low <= X) & (high >= X)).all() else None


def _values(body: bytes) -> Rows:
    """Return the values of a body that has the structure of a batch, flat, as float64."""
    if len(body) > SIMD_BYTES:
        return np.array(from_json(body)["data"], np.float64).ravel()
    # Straight into an array: a fifth of the time that lists of Python's numbers take.
    document: Any = simdjson.Parser().parse(body)
    return np.frombuffer(document["data"].as_buffer(of_type="d"))


def _by_pydantic(problem: Problem) -> Decode:
    validate = batch_model(problem).__pydantic_validator__.validate_json

    def decode(body: bytes) -> Sequence[Sequence[Value]] | None:
        try:
            check_weight(body, problem)
            found: Sequence[Sequence[Value]] = validate(body).data
        except (TooHeavyError, ValidationError):
            return None
        return found

    return decode

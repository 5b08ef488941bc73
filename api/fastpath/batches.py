"""Batches for `POST /predict`, `{"data": [[…], …]}`: read and answered by columns instead of row by row."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import simdjson
from pydantic import ValidationError
from pydantic_core import from_json

from api.fastpath.answer_json import answer_json
from api.fastpath.routes import Reply, headers_of
from api.guards.array_limits import ArrayLimits
from api.guards.json_bodies import NO_NUMBERS, SIMD_BYTES, TooHeavyError, check_weight, flat_numbers
from api.http.large_bodies import OffloadLarge
from api.inference.predictor import Predictor
from api.model.follower import ChampionFollower
from api.schemas.requests import MAX_ROWS, batch_model
from common.problem import Problem, Rows, Value

is_batch = re.compile(rb'\s*\{\s*"data"\s*:').match  # no feature can be named `data`
# A body without these characters shows its structure: whether it is rows of the right width, and nothing else.
OF_NUMBERS = b"0123456789+-.eE \t\r\n"

Decode = Callable[[bytes], Sequence[Sequence[Value]] | Rows | None]


class BatchAnswers:
    """Answers batches; a large one in a thread, so that other requests need not wait for it."""

    def __init__(self, problem: Problem, champion: ChampionFollower, predictor: Predictor, large: OffloadLarge) -> None:
        """Answer batches of `problem` by `champion` through `predictor`."""
        self._decode: Decode = decoder(problem)
        self._champion = champion
        self._predictor = predictor
        self._large = large

    async def answer_large(self, body: bytes) -> Reply | None:
        """Return what `answer` returns, for a large body."""
        return await self._large.do(partial(self.answer, body), len(body))

    def answer(self, body: bytes) -> Reply | None:
        """Return the reply to a body; None if it is no valid batch, or no reply can be made here."""
        rows, served = self._decode(body), self._champion.current
        if rows is None or served is None:
            return None
        try:
            batch = self._predictor.predict(served, rows)
            return answer_json(served).batch(batch), headers_of(batch)
        except Exception:  # noqa: BLE001  # FastAPI's route meets the error again, and reports it
            return None


def decoder(problem: Problem) -> Decode:
    """Return a function that reads the rows of a body; it returns None for a body that is no valid batch."""
    if not problem.is_numeric:
        return _by_pydantic(problem)
    return partial(_numbers, width=len(problem.features), limits=ArrayLimits(problem))


def _numbers(body: bytes, width: int, limits: ArrayLimits) -> Rows | None:
    structure = body.translate(None, OF_NUMBERS)
    rows = structure.count(b"[") - 1
    row = b"[%b]" % (b"," * (width - 1))
    if not 1 <= rows <= MAX_ROWS or structure != b'{"data":[%b]}' % b",".join([row] * rows):
        return None
    try:
        values = _values(body)
    except NO_NUMBERS:
        return None
    if len(values) != rows * width:
        return None
    X = values.reshape(rows, width)
    return X if limits.hold(X) else None


def _values(body: bytes) -> Rows:
    """Return the values of a body that has the structure of a batch, flat, as float64."""
    if len(body) > SIMD_BYTES:
        return np.array(from_json(body)["data"], np.float64).ravel()
    document: Any = simdjson.Parser().parse(body)
    return flat_numbers(document["data"])


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

"""Predictions as JSON: the text that `PredictionBatch` makes of them, for many rows in half the time.

All but the numbers and the id is the same for all answers of a version, and is made once. orjson writes the numbers of
all rows in one call.
"""

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
import orjson

from api.inference.prediction_batch import PredictionBatch
from api.inference.prediction_ids import FEW, ends
from api.model.follower import ServedVersion
from api.schemas.requests import MAX_ROWS
from common.bundle.model import Floats32

# A piece of every row's text: the same for all rows, or one for each.
Piece = bytes | list[bytes]


class AnswerJson:
    """Writes the answers of one version of a model."""

    def __init__(self, classes: Sequence[str], model_name: str, model_version: int) -> None:
        """Write the parts that are the same for all answers."""
        names = [orjson.dumps(name) for name in classes]
        self._beginnings = [b'{"class_name":' + name + b',"probabilities":' for name in names]
        self._before_shares = [(b"," if place else b"{") + name + b":" for place, name in enumerate(names)]
        described = b'","model_name":' + orjson.dumps(model_name) + b',"model_version":' + orjson.dumps(model_version)
        self._flags = {
            flag: described + b',"is_outlier":' + orjson.dumps(flag) + b',"outlier_score":'
            for flag in (True, False, None)
        }

    def rows(self, batch: PredictionBatch) -> list[bytes]:
        """Return the answer to each row."""
        columns = [*self._columns(batch), b"}"]
        pieces, size = _interleaved(columns, len(batch)), len(columns)
        return [b"".join(pieces[place : place + size]) for place in range(0, len(pieces), size)]

    def batch(self, batch: PredictionBatch) -> bytes:
        """Return the answers to a batch: `{"predictions": […]}`."""
        pieces = _interleaved([*self._columns(batch), b"},"], len(batch))
        pieces[0], pieces[-1] = b'{"predictions":[' + pieces[0], b"}]}"
        return b"".join(pieces)

    def _columns(self, batch: PredictionBatch) -> list[Piece]:
        flags, scores = batch.flags, batch.answer.outlier_scores
        return [
            list(map(self._beginnings.__getitem__, batch.labels)),
            *self._shares(batch.answer.probabilities),
            b',"prediction_id":"' + batch.start.encode(),
            _ends(FEW if len(batch) <= FEW else MAX_ROWS)[: len(batch)],
            self._flags[None] if flags is None else list(map(self._flags.__getitem__, flags)),
            b"null" if scores is None else _numbers(scores),
        ]

    def _shares(self, probabilities: Floats32 | None) -> list[Piece]:
        if probabilities is None:
            return [b"null"]
        numbers, count = _numbers(probabilities.ravel()), len(self._before_shares)
        shares: list[Piece] = []
        for place, before in enumerate(self._before_shares):
            shares += [before, numbers[place::count]]
        return [*shares, b"}"]


def _interleaved(columns: Sequence[Piece], rows: int) -> list[bytes]:
    pieces = [column if isinstance(column, bytes) else b"" for column in columns] * rows
    for place, column in enumerate(columns):
        if not isinstance(column, bytes):
            pieces[place :: len(columns)] = column
    return pieces


def _numbers(values: Floats32) -> list[bytes]:
    # As doubles, whose digits differ from those of float32: the log has the same.
    return orjson.dumps(values.astype(np.float64), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")


def answer_json(served: ServedVersion) -> AnswerJson:
    """Return the writer of a version's answers, which is made once."""
    return _answer_json(served.model.classes, served.version.name, served.version.number)


@lru_cache(maxsize=8)  # of versions: the champion, the challenger, and some before them
def _answer_json(classes: tuple[str, ...], model_name: str, model_version: int) -> AnswerJson:
    return AnswerJson(classes, model_name, model_version)


@cache
def _ends(rows: int) -> list[bytes]:
    return [end.encode() for end in ends(rows)]

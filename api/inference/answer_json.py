"""Predictions as JSON: the text that pydantic would make of `Prediction`, in a third of the time.

All but the numbers and the id is the same for all answers of a version, and is made once. orjson writes the numbers of
all rows in one call.
"""

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
import orjson

from api.inference.prediction_ids import FEW, ends
from api.schemas.requests import MAX_ROWS
from common.bundle.model import Answer, Floats32

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

    def rows(self, start: str, labels: Sequence[int], flags: Sequence[bool] | None, answer: Answer) -> list[bytes]:
        """Return the answer for each row.

        Args:
            start: the beginning of the ids.
            labels: the class indices of `answer`.
            flags: which rows are outliers; None for a model without outlier scores.
            answer: the model's answer.
        """
        columns = [*self._columns(start, labels, flags, answer), b"}"]
        pieces, size = _interleaved(columns, len(labels)), len(columns)
        return [b"".join(pieces[place : place + size]) for place in range(0, len(pieces), size)]

    def batch(self, start: str, labels: Sequence[int], flags: Sequence[bool] | None, answer: Answer) -> bytes:
        """Return the answers for a batch: `{"predictions": […]}`. Arguments as for `rows`."""
        pieces = _interleaved([*self._columns(start, labels, flags, answer), b"},"], len(labels))
        pieces[0], pieces[-1] = b'{"predictions":[' + pieces[0], b"}]}"
        return b"".join(pieces)

    def _columns(self, start: str, labels: Sequence[int], flags: Sequence[bool] | None, answer: Answer) -> list[Piece]:
        scores = answer.outlier_scores
        return [
            list(map(self._beginnings.__getitem__, labels)),
            *self._shares(answer.probabilities),
            b',"prediction_id":"' + start.encode(),
            _ends(FEW if len(labels) <= FEW else MAX_ROWS)[: len(labels)],
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


@lru_cache(maxsize=8)  # of versions: the champion, the challenger, and some before them
def answer_json(classes: tuple[str, ...], model_name: str, model_version: int) -> AnswerJson:
    """Return the writer of a version's answers, which is made once."""
    return AnswerJson(classes, model_name, model_version)


@cache
def _ends(rows: int) -> list[bytes]:
    return [end.encode() for end in ends(rows)]

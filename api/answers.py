"""What a version has answered: made once per request, then shown to the client, logged, and shown to the challenger."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np

from api.ids import ends
from api.serving import Served
from common.onnx_io import Answer, ModelError
from common.problem import Problem, Rows, Value
from common.store.predictions import PredictionRow
from common.store.tables import Role


@dataclass(frozen=True)
class Answered:
    """Rows that one version has answered together.

    Attributes:
        start: how their ids begin.
        at: the moment, in UTC.
        rows: the features, as the client gave them, in order; also as an array `[rows, features]`.
        X: the same as an array, as the model took them.
    """

    start: str
    at: datetime
    role: Role
    served: Served
    rows: Sequence[Sequence[Value]] | Rows
    X: Rows
    answer: Answer

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    @cached_property
    def ids(self) -> list[str]:
        """The id of each row."""
        return [self.start + end for end in ends(len(self))]

    @cached_property
    def labels(self) -> list[int]:
        """The index of the predicted class of each row."""
        found: list[int] = self.answer.labels.tolist()
        return found

    @property
    def class_names(self) -> list[str]:
        """The predicted class of each row."""
        return list(map(self.served.model.classes.__getitem__, self.labels))

    @cached_property
    def flags(self) -> Any:
        """Whether each row is an outlier, as an array `[rows]`; None for a model without outlier scores."""
        return self.served.model.is_outlier(self.answer)

    def json_rows(self) -> list[bytes]:
        """Return the answer to each row as JSON, for clients."""
        return self.served.answer_json.rows(self.start, self.labels, self.flags, self.answer)

    def json_batch(self) -> bytes:
        """Return the answers to all rows as JSON, for the client that has sent them as a batch."""
        return self.served.answer_json.batch(self.start, self.labels, self.flags, self.answer)

    def log_rows(self, problem: Problem) -> list[PredictionRow]:
        """Return them as rows of the log."""
        classes, version, columns, answer = self.served.model.classes, self.served.version, problem.columns, self.answer
        nothing: list[None] = [None] * len(self)
        rows = self.rows.tolist() if isinstance(self.rows, np.ndarray) else self.rows
        return [
            {
                "id": prediction_id,
                "role": self.role,
                "problem": problem.name,
                "model_name": version.name,
                "model_version": version.number,
                "predicted_at": self.at,
                "features": dict(zip(columns, row, strict=True)),
                "class_name": class_name,
                "probabilities": dict(zip(classes, shares, strict=True)) if shares is not None else None,
                "confidence": max(shares) if shares is not None else None,
                "is_outlier": is_outlier,
                "outlier_score": score,
            }
            for prediction_id, row, class_name, shares, is_outlier, score in zip(
                self.ids,
                rows,
                self.class_names,
                answer.probabilities.tolist() if answer.probabilities is not None else nothing,
                self.flags.tolist() if self.flags is not None else nothing,
                answer.outlier_scores.tolist() if answer.outlier_scores is not None else nothing,
                strict=True,
            )
        ]


def class_counts(answer: Answer, rows: int, classes: int) -> list[int]:
    """Return how many of so many rows are said to be of each of so many classes.

    Raises:
        ModelError: a label is no index of a class, or there is not one for each row.
    """
    try:
        counts = np.bincount(answer.labels, minlength=classes).tolist()
    except ValueError:  # negative ones
        counts = []
    if len(counts) != classes or answer.labels.shape != (rows,):
        raise ModelError(f"its labels are no indices of {classes} classes, one for each of {rows} rows")
    return list(counts)

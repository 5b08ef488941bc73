"""What a version has answered: made once per request, then shown to the client, logged, and shown to the challenger."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from api.inference.prediction_ids import ends
from api.model.follower import ServedVersion
from common.bundle.model import Answer, ModelError
from common.problem import Ints, Problem, Rows, Value
from common.store.predictions import PredictionRow
from common.store.tables import Role


@dataclass(slots=True)
class PredictionBatch:
    """Rows that one version has answered together.

    Attributes:
        start: how their ids begin.
        at: the moment, in UTC.
        rows: the features, as the client gave them, in order; also as an array `[rows, features]`.
        X: the same as an array, as the model took them.
        outliers: whether each row is one; None for a model without outlier scores.
    """

    start: str
    at: datetime
    role: Role
    served: ServedVersion
    rows: Sequence[Sequence[Value]] | Rows
    X: Rows
    answer: Answer
    outliers: npt.NDArray[np.bool_] | None = field(init=False)

    def __post_init__(self) -> None:
        """Find the outliers."""
        self.outliers = self.served.model.is_outlier(self.answer)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    @property
    def ids(self) -> list[str]:
        """The id of each row."""
        return [self.start + end for end in ends(len(self))]

    @property
    def labels(self) -> list[int]:
        """The index of the predicted class of each row."""
        labels: list[int] = self.answer.labels.tolist()
        return labels

    @property
    def flags(self) -> list[bool] | None:
        """The outliers as a list."""
        return self.outliers.tolist() if self.outliers is not None else None

    @property
    def class_names(self) -> list[str]:
        """The predicted class of each row."""
        return list(map(self.served.model.classes.__getitem__, self.labels))

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
                self.flags or nothing,
                answer.outlier_scores.tolist() if answer.outlier_scores is not None else nothing,
                strict=True,
            )
        ]


def class_counts(labels: Ints, rows: int, classes: int) -> list[int]:
    """Return how many of so many rows are said to be of each of so many classes.

    Raises:
        ModelError: a label is no index of a class, or there is not one for each row.
    """
    if labels.shape != (rows,) or labels.min() < 0 or labels.max() >= classes:
        raise ModelError(f"its labels are no indices of {classes} classes, one for each of {rows} rows")
    counts: list[int] = np.bincount(labels, minlength=classes).tolist()
    return counts

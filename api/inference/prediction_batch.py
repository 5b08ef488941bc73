"""The predictions of one version for rows that are answered together: for the client, the log and the challenger."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from api.inference.prediction_ids import ends
from api.model.follower import ServedVersion
from common.bundle.model import Answer, ModelError
from common.problem import Ints, Problem, Rows, Value
from common.store.predictions import PredictionRow
from common.store.tables import Role


@dataclass(slots=True)
class PredictionBatch:
    """Rows and the predictions for them.

    Attributes:
        start: the beginning of the predictions' ids.
        at: the moment, in UTC.
        role: of the version.
        served: the version.
        rows: the features in order, as the client sent them: lists, or an array `[rows, features]`.
        X: the same, as the model takes them.
        answer: the model's answer.
        outliers: whether each row is an outlier, `[rows]`; None for a model without outlier scores.
        seconds: how long the model took for classes and outlier scores of all rows, which come from one run.
    """

    start: str
    at: datetime
    role: Role
    served: ServedVersion
    rows: Sequence[Sequence[Value]] | Rows
    X: Rows
    answer: Answer
    outliers: npt.NDArray[np.bool_] | None = field(init=False)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        """Compare the outlier scores with the version's threshold."""
        self.outliers = self.served.model.is_outlier(self.answer)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    @property
    def server_timing(self) -> str:
        """The value of the header `Server-Timing`, in milliseconds as the header has them."""
        return f"model;dur={self.seconds * 1e3:.3f}"

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
        """Whether each row is an outlier, as a list."""
        return self.outliers.tolist() if self.outliers is not None else None

    @property
    def class_names(self) -> list[str]:
        """The predicted class of each row."""
        return list(map(self.served.model.classes.__getitem__, self.labels))

    def json_rows(self) -> list[bytes]:
        """Return the answer to each row as JSON: the text that pydantic would make of `Prediction`."""
        return list(map(orjson.dumps, self._answers()))

    def json_batch(self) -> bytes:
        """Return the answers to all rows as JSON, as the response to a batch."""
        return orjson.dumps({"predictions": self._answers()})

    def _answers(self) -> list[dict[str, Any]]:
        name, number = self.served.version.name, self.served.version.number
        return [
            {
                "class_name": class_name,
                "probabilities": probabilities,
                "prediction_id": prediction_id,
                "model_name": name,
                "model_version": number,
                "is_outlier": is_outlier,
                "outlier_score": score,
            }
            for prediction_id, class_name, probabilities, is_outlier, score in self._columns()
        ]

    def log_rows(self, problem: Problem) -> list[PredictionRow]:
        """Return rows of the prediction log."""
        version, columns = self.served.version, problem.columns
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
                "probabilities": probabilities,
                "confidence": max(probabilities.values()) if probabilities is not None else None,
                "is_outlier": is_outlier,
                "outlier_score": score,
            }
            for row, (prediction_id, class_name, probabilities, is_outlier, score) in zip(
                rows, self._columns(), strict=True
            )
        ]

    def _columns(self) -> Iterable[tuple[str, str, dict[str, float] | None, bool | None, float | None]]:
        """Return id, class, probabilities by class, whether it is an outlier, and outlier score, for each row."""
        classes, shares, scores = self.served.model.classes, self.answer.probabilities, self.answer.outlier_scores
        nothing: list[None] = [None] * len(self)
        return zip(
            self.ids,
            self.class_names,
            nothing if shares is None else [dict(zip(classes, row, strict=True)) for row in shares.tolist()],
            self.flags or nothing,
            nothing if scores is None else scores.tolist(),
            strict=True,
        )


def class_counts(labels: Ints, rows: int, classes: int) -> list[int]:
    """Return the number of predictions of each class.

    Args:
        labels: class indices, one for each row.
        rows: the number of rows.
        classes: the number of classes.

    Raises:
        ModelError: a label is not the index of a class, or there are more or fewer labels than rows.
    """
    if labels.shape != (rows,) or labels.min() < 0 or labels.max() >= classes:
        raise ModelError(f"its labels are no indices of {classes} classes, one for each of {rows} rows")
    counts: list[int] = np.bincount(labels, minlength=classes).tolist()
    return counts

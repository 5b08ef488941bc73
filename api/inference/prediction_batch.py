"""The predictions of one version for rows that are answered together: for the client, the log and the challenger."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from api.inference.answer_json import AnswerJson, answer_json
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
        """Compare the outlier scores with the version's threshold."""
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
        """Whether each row is an outlier, as a list."""
        return self.outliers.tolist() if self.outliers is not None else None

    @property
    def class_names(self) -> list[str]:
        """The predicted class of each row."""
        return list(map(self.served.model.classes.__getitem__, self.labels))

    def json_rows(self) -> list[bytes]:
        """Return the answer to each row as JSON."""
        return self._json().rows(self.start, self.labels, self.flags, self.answer)

    def json_batch(self) -> bytes:
        """Return the answers to all rows as JSON, as the response to a batch."""
        return self._json().batch(self.start, self.labels, self.flags, self.answer)

    def _json(self) -> AnswerJson:
        return answer_json(self.served.model.classes, self.served.version.name, self.served.version.number)

    def log_rows(self, problem: Problem) -> list[PredictionRow]:
        """Return rows of the prediction log."""
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

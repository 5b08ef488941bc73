"""A model's answer to rows: its form, and how it is compared with the right one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from common.problem import Ints

Floats32 = npt.NDArray[np.float32]
TOLERANCE = 1e-5


class ModelError(ValueError):
    """A model cannot be served; the message says why."""


@dataclass(frozen=True)
class Answer:
    """A model's answer to rows.

    Attributes:
        labels: class indices `[rows]`.
        probabilities: `[rows, classes]`; None from a model that gives no probabilities.
        outlier_scores: `[rows]`, with the sign of scikit-learn's `decision_function`: negative means unlike the
            training data, and a lower score means less alike; None from a model without outlier scores.
    """

    labels: Ints
    probabilities: Floats32 | None
    outlier_scores: Floats32 | None = None

    def check_form(self, rows: int, classes: Sequence[str]) -> None:
        """Check that the answer has the form that clients and the prediction log rely on.

        Raises:
            ModelError: a shape is wrong, a label is not the index of a class, or a probability or score is impossible.
        """
        labels, probabilities, scores = self.labels, self.probabilities, self.outlier_scores
        _check_shape("labels [rows]", labels, (rows,))
        if labels.dtype.kind != "i" or not set(labels.tolist()) <= set(range(len(classes))):
            raise ModelError(f"the labels {labels[:5]} are not indices of the classes {list(classes)}")
        if probabilities is not None:
            _check_shape("probabilities [rows, classes]", probabilities, (rows, len(classes)))
            # NaN fails `<=`, too.
            if not (np.abs(probabilities - 0.5) <= 0.5 + TOLERANCE).all():
                raise ModelError(
                    f"the probabilities are not between 0 and 1: {probabilities.min()} to {probabilities.max()}"
                )
        if scores is not None:
            _check_shape("outlier scores [rows]", scores, (rows,))
            if not np.isfinite(scores).all():
                raise ModelError("some outlier scores are infinite or not a number")

    def check_equal(self, right: "Answer") -> None:
        """Check that this answer has the labels of the right one, and its probabilities and scores within 1e-5.

        Scores beyond 1 may differ by 1e-5 of their size. Probabilities are compared if both answers have them, scores
        if the right answer has them.

        Raises:
            ModelError: the message names the first row that differs, or the row that differs most, and by how much.
        """
        _check_shape("labels", self.labels, right.labels.shape)
        different = np.flatnonzero(self.labels != right.labels)
        if different.size:
            count = f"{different.size} of {len(self.labels)} rows do"
            raise ModelError(f"the label of row {different[0]} differs ({count})")
        if self.probabilities is not None and right.probabilities is not None:
            _check_distance("probabilities", self.probabilities, right.probabilities)
        if right.outlier_scores is not None:
            if self.outlier_scores is None:
                raise ModelError("the model gives no outlier scores")
            _check_distance("outlier scores", self.outlier_scores, right.outlier_scores)


def _check_shape(what: str, values: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise ModelError(f"the {what} have the shape {values.shape} instead of {shape}")


def _check_distance(what: str, found: Floats32, right: Floats32) -> None:
    _check_shape(what, found, right.shape)
    distance = (np.abs(found - right) / np.maximum(1.0, np.abs(right))).reshape(len(found), -1).max(axis=1)
    # A distance that is not a number fails `<=`, too.
    if not distance.max() <= TOLERANCE:
        raise ModelError(f"the {what} of row {distance.argmax()} differ by {distance.max():.1e} (> {TOLERANCE})")

"""Metrics of a classifier, computed from its confusion matrix alone.

Definitions as in scikit-learn's user guide, section 3.4 "Metrics and scoring", one class against the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.problem import Ints


@dataclass(frozen=True)
class ClassMetrics:
    """How one class fares against the rest; None where the denominator is zero, so that there is no answer."""

    true_pos: int
    false_pos: int
    false_neg: int
    true_neg: int

    @property
    def precision(self) -> float | None:
        """TP / (TP + FP)."""
        return _ratio(self.true_pos, self.true_pos + self.false_pos)

    @property
    def recall(self) -> float | None:
        """TP / (TP + FN)."""
        return _ratio(self.true_pos, self.true_pos + self.false_neg)

    @property
    def specificity(self) -> float | None:
        """TN / (TN + FP)."""
        return _ratio(self.true_neg, self.true_neg + self.false_pos)

    @property
    def f1(self) -> float | None:
        """2 TP / (2 TP + FP + FN)."""
        return _ratio(2 * self.true_pos, 2 * self.true_pos + self.false_pos + self.false_neg)


def confusion(truth: Ints, predicted: Ints, classes: int) -> Ints:
    """Return counts `[classes, classes]`: row is the true class, column the predicted one."""
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (truth, predicted), 1)
    return matrix


def per_class(matrix: Ints) -> list[ClassMetrics]:
    """Return the metrics of each class of a confusion matrix `[classes, classes]`."""
    hits, truths, guesses, total = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0), matrix.sum()
    return [
        ClassMetrics(int(hit), int(guess - hit), int(truth - hit), int(total - truth - guess + hit))
        for hit, truth, guess in zip(hits, truths, guesses, strict=True)
    ]


def accuracy(matrix: Ints) -> float | None:
    """Return the share of the diagonal; None for no rows."""
    return _ratio(int(np.trace(matrix)), int(matrix.sum()))


def summary(matrix: Ints) -> dict[str, float]:
    """Return accuracy and macro precision, recall and F1, without those for which there are no data.

    A macro average is the mean over the classes that have a value.
    """
    classes = per_class(matrix)
    values = {
        "accuracy": accuracy(matrix),
        "precision": _mean([c.precision for c in classes]),
        "recall": _mean([c.recall for c in classes]),
        "f1": _mean([c.f1 for c in classes]),
    }
    return {name: value for name, value in values.items() if value is not None}


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None

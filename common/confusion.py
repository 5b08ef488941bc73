"""The confusion matrix of a classifier, and the metrics that follow from it alone.

Definitions as in scikit-learn's user guide, section 3.4 "Metrics and scoring", one class against the rest.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from common.rows import Ints


@dataclass(frozen=True)
class ClassMetrics:
    """Counts of one class against the rest, and the metrics made from them; None where a denominator is zero."""

    true_pos: int
    false_pos: int
    false_neg: int
    true_neg: int

    @property
    def precision(self) -> float | None:
        """TP / (TP + FP)."""
        return ratio(self.true_pos, self.true_pos + self.false_pos)

    @property
    def recall(self) -> float | None:
        """TP / (TP + FN)."""
        return ratio(self.true_pos, self.true_pos + self.false_neg)

    @property
    def f1(self) -> float | None:
        """2 TP / (2 TP + FP + FN)."""
        return ratio(2 * self.true_pos, 2 * self.true_pos + self.false_pos + self.false_neg)


def confusion(truth: Ints, predicted: Ints, classes: int) -> Ints:
    """Return counts `[classes, classes]`: row is the true class, column the predicted one."""
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (truth, predicted), 1)
    return matrix


def counts_by_class(matrix: Ints) -> Iterator[tuple[int, int, int, int]]:
    """Yield TP, FP, FN and TN of each class of a confusion matrix `[classes, classes]`."""
    hits, truths, guesses, total = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0), matrix.sum()
    for hit, truth, guess in zip(hits, truths, guesses, strict=True):
        yield int(hit), int(guess - hit), int(truth - hit), int(total - truth - guess + hit)


def summary(matrix: Ints) -> dict[str, float]:
    """Return accuracy and the macro averages of precision, recall and F1; a metric without data is left out.

    A macro average is the mean over the classes that have a value.
    """
    classes = [ClassMetrics(*counts) for counts in counts_by_class(matrix)]
    means = {name: mean([getattr(each, name) for each in classes]) for name in ("precision", "recall", "f1")}
    values = {"accuracy": ratio(int(np.trace(matrix)), int(matrix.sum())), **means}
    return {name: value for name, value in values.items() if value is not None}


def mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that are not None; None without any."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def ratio(part: int, whole: int) -> float | None:
    """Return part / whole; None if the whole is 0."""
    return part / whole if whole else None

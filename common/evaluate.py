"""Metrics of a classifier, computed from its confusion matrix alone.

Definitions as in scikit-learn's user guide, section 3.4 "Metrics and scoring", one class against the rest.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from common.problem import Ints

CONFIDENCE = 0.95
SMALLEST_TERM = 1e-18  # of a sum of probabilities: what comes after it changes no digit


@dataclass(frozen=True)
class Interval:
    """Where a proportion lies with 95 % confidence."""

    low: float
    high: float


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

    @property
    def intervals(self) -> dict[str, Interval | None]:
        """Wilson intervals of precision, recall, specificity and F1.

        F1 itself is no proportion, but 2 J / (1 + J), where J = TP / (TP + FP + FN) is one: its interval is that of J,
        taken through the same formula.
        """
        hits, jaccard = self.true_pos, wilson(self.true_pos, self.true_pos + self.false_pos + self.false_neg)
        return {
            "precision": wilson(hits, hits + self.false_pos),
            "recall": wilson(hits, hits + self.false_neg),
            "specificity": wilson(self.true_neg, self.true_neg + self.false_pos),
            "f1": jaccard and Interval(*(2 * share / (1 + share) for share in (jaccard.low, jaccard.high))),
        }


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
        "precision": mean([c.precision for c in classes]),
        "recall": mean([c.recall for c in classes]),
        "f1": mean([c.f1 for c in classes]),
    }
    return {name: value for name, value in values.items() if value is not None}


def wilson(successes: int, trials: int, standard_errors: float | None = None) -> Interval | None:
    """Return the score interval of a proportion, of 95 % or so many standard errors to each side; None for no trials.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    if trials == 0:
        return None
    z = standard_errors or NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share, weight = successes / trials, z * z / trials
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / trials + weight / (4 * trials))
    # Rounding must not leave out a proportion of 0 or 1 itself.
    return Interval(middle - half if successes else 0.0, middle + half if successes < trials else 1.0)


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the exact two-sided p-value that two classifiers are right equally often.

    Args:
        only_first: rows that only the first has right.
        only_second: rows that only the second has right.

    The smaller number under the binomial distribution with p = 1/2. Source: Q. McNemar, "Note on the sampling error of
    the difference between correlated proportions or percentages", 1947, in its exact form.
    """
    trials, smaller = only_first + only_second, min(only_first, only_second)
    tail = 0.0
    # From the largest term down: after the first few dozen square roots of `trials` nothing is left to add.
    for successes in range(smaller, -1, -1):
        choices = math.lgamma(trials + 1) - math.lgamma(successes + 1) - math.lgamma(trials - successes + 1)
        term = math.exp(choices - trials * math.log(2))
        tail += term
        if term <= SMALLEST_TERM * tail:
            break
    return min(2 * tail, 1.0)


def mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that there are; None if there is none."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None

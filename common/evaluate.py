"""Metrics of versions on live rows, with their intervals. Nothing here reads or writes anything."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol

import numpy as np

from common.confusion import ClassMetrics, counts_by_class, ratio
from common.problem import Ints

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A proportion that was measured, and the ends of its 95 % confidence interval (Wilson's)."""

    value: float
    low: float
    high: float


class LabelCount(Protocol):
    """A number of rows with the same ground truth and the same predicted class."""

    @property
    def true_class(self) -> str: ...  # noqa: D102
    @property
    def predicted_class(self) -> str: ...  # noqa: D102
    @property
    def labels(self) -> int: ...  # noqa: D102


@dataclass(frozen=True)
class ClassEstimates(ClassMetrics):
    """The metrics of one class with their intervals."""

    @property
    def specificity(self) -> float | None:
        """TN / (TN + FP)."""
        return ratio(self.true_neg, self.true_neg + self.false_pos)

    @property
    def estimates(self) -> dict[str, Estimate | None]:
        """Precision, recall, specificity and F1 with their Wilson intervals.

        F1 itself is no proportion, but J = TP / (TP + FP + FN) is one, and F1 = 2 J / (1 + J) grows with it: the same
        formula turns the ends of the interval of J into those of F1.
        """
        hits, f1 = self.true_pos, self.f1
        jaccard = wilson(hits, hits + self.false_pos + self.false_neg)
        return {
            "precision": wilson(hits, hits + self.false_pos),
            "recall": wilson(hits, hits + self.false_neg),
            "specificity": wilson(self.true_neg, self.true_neg + self.false_pos),
            "f1": Estimate(f1, *(2 * end / (1 + end) for end in (jaccard.low, jaccard.high)))
            if f1 is not None and jaccard
            else None,
        }


def classes_of(known: Sequence[str], labels: Iterable[LabelCount], *more: str) -> tuple[str, ...]:
    """Return the known classes in their order, then the others that occur in `labels` or in `more`, by name."""
    found = {name for each in labels for name in (each.true_class, each.predicted_class)} | set(more)
    return (*known, *sorted(found.difference(known)))


def matrix_of(labels: Iterable[LabelCount], classes: Sequence[str]) -> Ints:
    """Return the confusion matrix `[classes, classes]` of counted labels: row is the true class."""
    places = {name: place for place, name in enumerate(classes)}
    matrix = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for each in labels:
        matrix[places[each.true_class], places[each.predicted_class]] += each.labels
    return matrix


def per_class(matrix: Ints) -> list[ClassEstimates]:
    """Return the metrics of each class of a confusion matrix `[classes, classes]`."""
    return [ClassEstimates(*counts) for counts in counts_by_class(matrix)]


def wilson(successes: int, trials: int, standard_errors: float | None = None) -> Estimate | None:
    """Return a proportion with its score interval; None for no trials.

    Args:
        successes: how many of the trials succeeded.
        trials: how many there were.
        standard_errors: the width of the interval to each side; without it the interval is one of 95 %.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    if trials == 0:
        return None
    z = standard_errors or NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share, weight = successes / trials, z * z / trials
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / trials + weight / (4 * trials))
    # Rounding must not leave out a proportion of 0 or 1 itself.
    return Estimate(share, middle - half if successes else 0.0, middle + half if successes < trials else 1.0)


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the exact two-sided p-value that two classifiers are right equally often.

    Args:
        only_first: number of rows that only the first answered rightly.
        only_second: number of rows that only the second answered rightly.

    It is twice the probability of at most the smaller number under the binomial distribution with p = 1/2. Source:
    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages", 1947, in
    its exact form.
    """
    trials, smaller = only_first + only_second, min(only_first, only_second)
    # Five square roots of `trials` further down, a term is a 10^-21 of the largest: it changes no digit of the sum.
    lowest = max(smaller - 5 * math.isqrt(trials) - 5, 0)
    terms = (log_choices(trials, k) - trials * math.log(2) for k in range(lowest, smaller + 1))
    return min(2 * math.fsum(map(math.exp, terms)), 1.0)


def log_choices(n: int, k: int) -> float:
    """Return the logarithm of the number of ways to choose k of n."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

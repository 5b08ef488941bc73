"""How good answers were, from sums of labels, with intervals. Pure: counts in, numbers out."""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from common import evaluate
from common.evaluate import CONFIDENCE, ClassMetrics, accuracy, matrix_of, mean, per_class, wilson
from common.problem import Ints
from common.store.monitoring.history import DayLabels

METRICS = ("accuracy", "precision", "recall", "f1")
CLASS_METRICS = ("precision", "recall", "f1", "specificity")
INTERVAL = f"{CONFIDENCE:.0%}".replace("%", " %")

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Estimate:
    """A metric, and where it lies with 95 % confidence; None where there is nothing to say it from."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


def matrices_by(
    labels: Iterable[DayLabels], classes: Sequence[str], key: Callable[[DayLabels], Key]
) -> dict[Key, Ints]:
    """Return the confusion matrix of the labels of each key."""
    groups: defaultdict[Key, list[DayLabels]] = defaultdict(list)
    for each in labels:
        groups[key(each)].append(each)
    return {found: matrix_of(group, classes) for found, group in groups.items()}


def performance(matrix: Ints) -> dict[str, Estimate]:
    """Return accuracy and the macro averages of precision, recall and F1.

    A macro average is the mean over the classes that have a value. Intervals: of the accuracy Wilson's; of the others
    as `_of_independent` and `_of_dependent` say.
    """
    right, labels = int(np.trace(matrix)), int(matrix.sum())
    parts = class_performance(matrix)
    return {
        "accuracy": _estimate(accuracy(matrix), wilson(right, labels)),
        # Given how often each class was answered, or was true, the classes are samples of their own.
        "precision": _of_independent([each["precision"] for each in parts]),
        "recall": _of_independent([each["recall"] for each in parts]),
        "f1": _of_dependent([each["f1"] for each in parts]),
    }


def class_performance(matrix: Ints) -> list[dict[str, Estimate]]:
    """Return precision, recall, F1 and specificity of each class, with their intervals."""
    return [_of_class(each) for each in per_class(matrix)]


def _of_class(found: ClassMetrics) -> dict[str, Estimate]:
    intervals = found.estimates
    return {name: _estimate(getattr(found, name), intervals[name]) for name in CLASS_METRICS}


def _of_independent(parts: Sequence[Estimate]) -> Estimate:
    """Return the mean of independent proportions.

    Its distance to each end is the root of the sum of the squares of theirs. Source: G. Zou, W. Huang and X. Zhang,
    "A note on confidence interval estimation for a linear function of binomial proportions", 2009.
    """
    known = [
        (p.value, p.low, p.high) for p in parts if p.value is not None and p.low is not None and p.high is not None
    ]
    middle = mean([value for value, _, _ in known])
    if middle is None:
        return Estimate()
    below = math.hypot(*(value - low for value, low, _ in known)) / len(known)
    above = math.hypot(*(high - value for value, _, high in known)) / len(known)
    return Estimate(middle, middle - below, middle + above)


def _of_dependent(parts: Sequence[Estimate]) -> Estimate:
    """Return the mean of proportions that share rows, in whatever way.

    As if all of them erred in the same direction at once: the means of the ends, which are further apart than they
    must be.
    """
    return Estimate(*(mean([getattr(part, end) for part in parts]) for end in ("value", "low", "high")))


def _estimate(value: float | None, interval: evaluate.Estimate | None) -> Estimate:
    return Estimate(value, interval.low, interval.high) if interval else Estimate(value)

"""Metrics of a confusion matrix with their 95 % intervals."""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from common.evaluate import CONFIDENCE, Estimate, matrix_of, per_class, wilson
from common.problem import Ints
from common.store.monitoring.history import DayLabels

METRICS = ("accuracy", "precision", "recall", "f1")
CLASS_METRICS = ("precision", "recall", "f1", "specificity")
INTERVAL = f"{CONFIDENCE:.0%}".replace("%", " %")

Key = TypeVar("Key", bound=Hashable)
# By the name of the metric; None without data.
Estimates = Mapping[str, Estimate | None]


def matrices_by(
    labels: Iterable[DayLabels], classes: Sequence[str], key: Callable[[DayLabels], Key]
) -> dict[Key, Ints]:
    """Return the confusion matrix of the labels with each key."""
    groups: defaultdict[Key, list[DayLabels]] = defaultdict(list)
    for each in labels:
        groups[key(each)].append(each)
    return {found: matrix_of(group, classes) for found, group in groups.items()}


def performance(matrix: Ints) -> Estimates:
    """Return accuracy and the macro averages of precision, recall and F1.

    A macro average is the mean over the classes that have a value. The accuracy has Wilson's interval, the averages
    have those of `_mean_of_independent` and `_mean_of_dependent`.
    """
    classes = class_performance(matrix)
    return {
        "accuracy": wilson(int(np.trace(matrix)), int(matrix.sum())),
        # Given the number of predicted (or true) rows of each class, the classes are independent samples.
        "precision": _mean_of_independent([each["precision"] for each in classes]),
        "recall": _mean_of_independent([each["recall"] for each in classes]),
        "f1": _mean_of_dependent([each["f1"] for each in classes]),
    }


def class_performance(matrix: Ints) -> list[Estimates]:
    """Return precision, recall, F1 and specificity of each class."""
    return [each.estimates for each in per_class(matrix)]


def _mean_of_independent(estimates: Sequence[Estimate | None]) -> Estimate | None:
    """Return the mean of independent proportions.

    The distance of the mean to each end is the root of the sum of the squared distances. Source: G. Zou, W. Huang and
    X. Zhang, "A note on confidence interval estimation for a linear function of binomial proportions", 2009.
    """
    known = [each for each in estimates if each]
    if not known:
        return None
    middle = sum(each.value for each in known) / len(known)
    below = math.hypot(*(each.value - each.low for each in known)) / len(known)
    above = math.hypot(*(each.high - each.value for each in known)) / len(known)
    return Estimate(middle, middle - below, middle + above)


def _mean_of_dependent(estimates: Sequence[Estimate | None]) -> Estimate | None:
    """Return the mean of proportions that share rows.

    The ends are the means of the ends, as if all estimates erred in the same direction. The interval is wider than
    necessary.
    """
    known = [each for each in estimates if each]
    sums = [sum(values) for values in zip(*(vars(each).values() for each in known), strict=True)]
    return Estimate(*(each / len(known) for each in sums)) if known else None

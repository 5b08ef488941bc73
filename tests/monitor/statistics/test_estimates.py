"""Metrics with intervals: that they hold what they promise, and what they say of nothing."""

import numpy as np
import pytest

from common.evaluate import classes_of, matrix_of
from common.problem import Floats
from common.store.statistics import LabelSum
from monitor.statistics.estimates import METRICS, Estimate, class_performance, performance
from tests.common.store.rows import CLASSES, SETOSA, VERSICOLOR

SAMPLES = 600
# Chances of each cell: classes alike, one class in eight out of ten, two classes.
CHANCES = {
    "balanced": [[0.30, 0.02, 0.01], [0.02, 0.28, 0.03], [0.01, 0.04, 0.29]],
    "skewed": [[0.80, 0.02, 0.01], [0.02, 0.08, 0.01], [0.01, 0.01, 0.04]],
    "two": [[0.20, 0.10], [0.15, 0.55]],
}


def truths(chances: Floats) -> dict[str, float]:
    """The metrics that infinitely many rows would have."""
    hits, rows, columns = np.diag(chances), chances.sum(axis=1), chances.sum(axis=0)
    return {
        "accuracy": hits.sum(),
        "precision": (hits / columns).mean(),
        "recall": (hits / rows).mean(),
        "f1": (2 * hits / (rows + columns)).mean(),
    }


@pytest.mark.parametrize("rows", [60, 300])
@pytest.mark.parametrize("name", CHANCES)
def test_of_a_hundred_intervals_about_ninety_five_hold_the_truth(name: str, rows: int) -> None:
    chances = np.array(CHANCES[name]) / np.sum(CHANCES[name])
    missed = {metric: [0, 0] for metric in METRICS}
    for counts in np.random.default_rng(1).multinomial(rows, chances.ravel(), size=SAMPLES):
        found = performance(counts.reshape(chances.shape))
        for metric, value in truths(chances).items():
            low, high = found[metric].low, found[metric].high
            assert low is not None
            assert high is not None
            missed[metric][0] += value < low
            missed[metric][1] += value > high
    shares = {metric: [count / SAMPLES for count in sides] for metric, sides in missed.items()}
    print(name, rows, shares)
    assert max(sum(sides) for sides in shares.values()) < 0.08
    # Those of shares that are independent are not wider than they must be, on neither side; F1's may be.
    assert min(min(shares[metric]) for metric in ("accuracy", "precision", "recall")) > 0


def test_a_few_rows_that_are_all_right_prove_little() -> None:
    for metric, found in performance(np.diag([3, 3])).items():
        assert found.value == found.high == 1, metric
        assert found.low is not None
        assert found.low < 0.75, metric


def test_no_rows_have_no_metrics() -> None:
    nothing = Estimate(None, None, None)
    assert performance(np.zeros((0, 0), dtype=np.int64)) == dict.fromkeys(METRICS, nothing)
    assert performance(np.zeros((2, 2), dtype=np.int64)) == dict.fromkeys(METRICS, nothing)


def test_a_class_that_never_was_and_was_never_answered_is_left_out_of_the_means() -> None:
    two, three = np.array([[5, 1], [2, 4]]), np.array([[5, 1, 0], [2, 4, 0], [0, 0, 0]])
    assert performance(three) == performance(two)
    [*_, absent] = class_performance(three)
    assert (absent["precision"].value, absent["recall"].value, absent["f1"].value) == (None, None, None)
    assert absent["specificity"].value == 1


def test_known_classes_come_first_and_others_by_name() -> None:
    labels = [
        LabelSum(1, "champion", "zebra", "ant", 2),
        LabelSum(1, "shadow", "ant", SETOSA, 1),
    ]
    classes = classes_of(CLASSES, labels, "bee", VERSICOLOR)
    assert classes == (*CLASSES, "ant", "bee", "zebra")
    matrix = matrix_of(labels, classes)
    assert (matrix[5, 3], matrix[3, 0], matrix.sum()) == (2, 1, 3)

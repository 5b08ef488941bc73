"""Accuracy and recalls of a version in a window or on a day, compared with the same version's on the test rows."""

from collections.abc import Mapping
from datetime import date
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from common.evaluate import wilson
from monitor.statistics.enough import CLASS_LABELS, LABELS
from monitor.statistics.reference import Results

Verdict = Literal["dropped", "not dropped", "not enough data", "nothing to compare with"]
# Half the width of an interval. A version is measured on its test rows once, so 95 % suffice there. A day has about 300
# windows that share no row. With intervals of 95 %, nearly every version with many test rows would raise an alert
# within a day, although it is as good as ever; with four standard errors, one version in twenty does.
STANDARD_ERRORS = 4.0


class Measured(BaseModel):
    """An accuracy or a recall, and the same version's value on the test rows.

    Attributes:
        day: the day of the predictions, in UTC; None for the predictions of the window.
        class_name: the class of a recall; "" for the accuracy.
        labels: the number of predictions with ground truth.
        value: the proportion of right answers; with too few labels it is None, as are `low` and `high`.
        low: the lower end of its interval of `STANDARD_ERRORS` to each side.
        high: the upper end.
        tested: the proportion on the test rows; None, as are its ends, if no test row has the class.
        tested_low: the lower end of its 95 % interval.
        tested_high: the upper end.
    """

    model_config = ConfigDict(frozen=True)

    day: date | None
    class_name: str
    labels: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    tested: float | None = None
    tested_low: float | None = None
    tested_high: float | None = None

    @property
    def measure(self) -> Literal["accuracy", "recall"]:
        """The name of the proportion."""
        return "recall" if self.class_name else "accuracy"

    @property
    def span(self) -> Literal["window", "day"]:
        """The period of the predictions."""
        return "day" if self.day else "window"

    @property
    def verdict(self) -> Verdict:
        """The result of the comparison: "dropped" if the whole interval lies below that of the test rows."""
        if self.tested_low is None:
            return "nothing to compare with"
        if self.high is None:
            return "not enough data"
        return "dropped" if self.high < self.tested_low else "not dropped"


def measured(labels: Mapping[tuple[str, str], int], tested: Results, day: date | None = None) -> list[Measured]:
    """Return the accuracy and the recall of each class.

    Each class is compared with its own recall, so that a class that becomes worse is found although another class has
    always been worse still.

    Args:
        labels: counts by true and predicted class; a class that the version does not know counts as never right.
        tested: the same version's results on the test rows.
        day: the day of the predictions; None for the predictions of a window.
    """
    hits, rows = np.diag(tested.matrix).tolist(), tested.matrix.sum(axis=1).tolist()
    right = [labels.get((name, name), 0) for name in tested.classes]
    truths = [sum(count for (true, _), count in labels.items() if true == name) for name in tested.classes]
    overall = _measured(day, "", (sum(right), sum(labels.values())), (sum(hits), sum(rows)), LABELS)
    classes = zip(tested.classes, zip(right, truths, strict=True), zip(hits, rows, strict=True), strict=True)
    return [overall, *(_measured(day, name, now, before, CLASS_LABELS) for name, now, before in classes)]


def _measured(day: date | None, class_name: str, now: tuple[int, int], before: tuple[int, int], least: int) -> Measured:
    right, labels = now
    known = wilson(right, labels, STANDARD_ERRORS) if labels >= least else None
    tested = wilson(*before)
    return Measured(
        day=day,
        class_name=class_name,
        labels=labels,
        **({"value": right / labels, "low": known.low, "high": known.high} if known else {}),
        **({"tested": before[0] / before[1], "tested_low": tested.low, "tested_high": tested.high} if tested else {}),
    )

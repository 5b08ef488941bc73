"""How good a version's answers are beside its own results on the test rows. Pure: counts in, proportions out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from common.evaluate import wilson
from common.problem import Ints
from monitor.statistics.enough import CLASS_LABELS, LABELS

Verdict = Literal["dropped", "not dropped", "not enough data", "nothing to compare with"]
# Half the width of an interval. A version is looked at on its test rows once, where 95 % will do. A day has some 300
# windows that share no row: with intervals of 95 %, nearly every version that has many test rows and is as good as ever
# would be told of within a day; with four standard errors it is one in twenty.
STANDARD_ERRORS = 4.0


@dataclass(frozen=True)
class Results:
    """A version's answers to the test rows: class names, and counts `[true class, answered class]`."""

    classes: Sequence[str]
    matrix: Ints


class Measured(BaseModel):
    """A proportion of right answers, and what the same version reached on the test rows.

    Attributes:
        day: whose predictions it is of, in UTC; None for those of the window.
        class_name: whose recall it is; "" for the accuracy.
        labels: of how many answers whose truth is known.
        value: the proportion; None, as the ends of its interval, where they are too few.
        low: the lower end of its interval.
        high: the upper end.
        tested: the proportion on the test rows; None, as the ends of its 95 % interval, where they had no such class.
        tested_low: the lower end.
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
        """Which proportion it is."""
        return "recall" if self.class_name else "accuracy"

    @property
    def span(self) -> Literal["window", "day"]:
        """Which predictions it is of."""
        return "day" if self.day else "window"

    @property
    def verdict(self) -> Verdict:
        """Whether the answers have become worse: the whole interval lies below that of the test rows."""
        if self.tested_low is None:
            return "nothing to compare with"
        if self.high is None:
            return "not enough data"
        return "dropped" if self.high < self.tested_low else "not dropped"


def measured(labels: Mapping[tuple[str, str], int], tested: Results, day: date | None = None) -> list[Measured]:
    """Return the accuracy, and the recall of each class.

    Each class is held against its own recall, so that one that falls is found although another was always lower.

    Args:
        labels: counts by true and answered class; a class that the version does not know is never answered rightly.
        tested: the same version's results on the test rows.
        day: whose predictions the labels are of; None for those of a window.
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

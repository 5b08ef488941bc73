"""The rows of a traffic: drawn from the problem's data, with noise, outliers, drift and wrong labels."""

import secrets
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from common.problem import Floats, Ints, Number, Problem, Table, Value

FAR = 3  # standard deviations


class TrafficError(ValueError):
    """The options describe a traffic that cannot be sent; the message is one line."""


def _range(low: float, high: float, text: str) -> dict[str, Any]:
    return {"low": low, "high": high, "help": text}


@dataclass(frozen=True)
class Traffic:
    """The options of a traffic. A seed gives the same rows each time; without one they differ each time."""

    rate: float = field(default=20.0, metadata=_range(0.001, 10_000, "requests a second"))
    seconds: float = field(default=60.0, metadata=_range(0.001, 1e7, "how long to send"))
    noise: float = field(default=0.05, metadata=_range(0, 1e6, "added to features, in their standard deviations"))
    labels: float = field(default=0.8, metadata=_range(0, 1, "share of the answers that get feedback"))
    label_delay: float = field(default=2.0, metadata=_range(0, 1e7, "seconds from an answer to its feedback"))
    wrong_labels: float = field(default=0.02, metadata=_range(0, 1, "share of the feedback with a wrong class"))
    outliers: float = field(default=0.02, metadata=_range(0, 1, "share of the rows that are unlike the data"))
    drift_after: float = field(default=0.0, metadata=_range(0, 1e7, "second at which --drift begins"))
    drift: tuple[str, float] | None = None
    share: tuple[str, float] | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        """Raise `TrafficError` for a number outside its range."""
        for option in (each for each in fields(self) if each.metadata):
            low, high = option.metadata["low"], option.metadata["high"]
            if not low <= getattr(self, option.name) <= high:
                raise TrafficError(f"{option.name} must be from {low:g} to {high:g}")
        if self.share and not 0 <= self.share[1] <= 1:
            raise TrafficError("share must be from 0 to 1")


@dataclass(frozen=True)
class Row:
    """One row, and the class of its later feedback; `label` is None if it gets none."""

    features: dict[str, Value]
    label: str | None
    is_wrong: bool
    is_outlier: bool


class RowSource:
    """The rows of a traffic. The seed and its number determine a row, so any row may be skipped."""

    def __init__(self, traffic: Traffic, problem: Problem, table: Table) -> None:
        """Draw from the rows of `table`.

        Raises:
            TrafficError: the problem has no feature of the name to drift, or the table no row of a class of the share.
        """
        numbers = [each for each in problem.features if isinstance(each, Number)]
        self._names = [each.name for each in numbers]
        drifting, shift = traffic.drift or ("", 0.0)
        if traffic.drift and drifting not in self._names:
            raise TrafficError(f"--drift: unknown feature {drifting!r}; known are {', '.join(self._names)}")
        self._traffic, self._problem, self._table = traffic, problem, table
        self._seed = secrets.randbits(64) if traffic.seed is None else traffic.seed % 2**64
        places = [problem.columns.index(name) for name in self._names]
        self._numbers: Floats = table.X[:, places].astype(np.float64)
        self._deviation = self._numbers.std(axis=0)
        self._shift = shift * self._deviation * [name == drifting for name in self._names]
        self._of_class, self._others = self._pools()
        self._low, self._high = np.array([(each.minimum, each.maximum) for each in numbers]).T
        # Three digits of the standard deviation are finer than the noise, and still as short as a person writes them.
        digits = 2 - np.floor(np.log10(np.where(self._deviation > 0, self._deviation, 1.0)))
        self._decimals = np.maximum(digits, 0).astype(int).tolist()

    def at(self, number: int) -> Row:
        """Return the row that is due `number / rate` seconds after the start."""
        traffic, classes = self._traffic, self._problem.target.classes
        # Each row draws all its random numbers, so changing one option leaves the effect of the others unchanged.
        rng = np.random.default_rng((self._seed, number))
        drawn, step = int(rng.integers(len(self._table.y))), rng.integers(1, len(classes))
        noise, far = rng.standard_normal(len(self._deviation)), rng.random(len(self._deviation))
        is_outlier, labelled, wrong = (
            rng.random(3) < (traffic.outliers, traffic.labels, traffic.wrong_labels)
        ).tolist()
        place = self._place(drawn, rng.random())
        near = self._numbers[place] + noise * traffic.noise * self._deviation
        near += self._shift * (number / traffic.rate >= traffic.drift_after)
        # Noise and outliers change numbers only; categories stay those of the drawn row.
        features = dict(zip(self._problem.columns, self._table.X[place].tolist(), strict=True))
        features |= self._written(self._outlier(far) if is_outlier else near)
        if is_outlier or not labelled:  # an outlier has no known class
            return Row(features, None, is_wrong=False, is_outlier=is_outlier)
        label = classes[(self._table.y[place] + step * wrong) % len(classes)]
        return Row(features, label, is_wrong=wrong, is_outlier=False)

    def _pools(self) -> tuple[Ints, Ints]:
        """Return the places of the rows with the class of the share, and of the others; nothing without a share."""
        if self._traffic.share is None:
            return np.arange(0), np.arange(0)
        name, share = self._traffic.share
        classes = self._problem.target.classes
        if name not in classes:
            raise TrafficError(f"--share: unknown class {name!r}; known are {', '.join(classes)}")
        chosen = self._table.y == classes.index(name)
        if (share > 0 and not chosen.any()) or (share < 1 and chosen.all()):
            raise TrafficError(f"--share: the data have {'only' if chosen.all() else 'no'} rows of class {name}")
        return np.flatnonzero(chosen), np.flatnonzero(~chosen)

    def _place(self, place: int, chance: float) -> int:
        """Return the drawn place, or with a share the one in its stead: of that class if the chance is below it."""
        if self._traffic.share is None:
            return place
        pool = self._of_class if chance < self._traffic.share[1] else self._others
        return int(pool[place * len(pool) // len(self._table.y)])

    def _outlier(self, far: Floats) -> Floats:
        """Map `far` `[numbers]`, in [0, 1), to plausible values at least `FAR` deviations outside of the data.

        A feature whose plausible range has no such values is mapped to the whole range.
        """
        below = np.maximum(self._numbers.min(axis=0) - FAR * self._deviation - self._low, 0.0)
        above = np.maximum(self._high - self._numbers.max(axis=0) - FAR * self._deviation, 0.0)
        above = np.where(below + above > 0, above, self._high - self._low)
        at = far * (below + above)
        outlier: Floats = np.where(at < below, self._low + at, self._high - (below + above - at))
        return outlier

    def _written(self, values: Floats) -> dict[str, float]:
        rounded = map(round, values.tolist(), self._decimals)
        within = np.clip(list(rounded), self._low, self._high).tolist()
        return dict(zip(self._names, within, strict=True))

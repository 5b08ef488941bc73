"""Distances between rows: numbers standardised by the training rows, names one-hot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from common.problem import Floats, Ints, Problem, Rows, as_float32

CHUNK = 2**22  # distances that are in memory at a time
# A row is among others if its fifth nearest is as near as it is for 99 % of the others.
CROWD_NEIGHBOURS = 5
CROWD_QUANTILE = 0.99
CROWD_ROWS = 2_000  # at most; of more, a sample, because the costs grow with the square
SEED = 42


@dataclass(frozen=True)
class Space:
    """Places of rows: a number is its distance from the training mean in standard deviations, a name is 0 or 1.

    Attributes:
        mean: of each number in the training rows `[numbers]`.
        deviation: of each number; 1 for a number that never varies.
        numbers: the columns that are numbers.
        names: for each column of names, the place of each known name in the result.
        width: the number of dimensions.
    """

    mean: Floats
    deviation: Floats
    numbers: Sequence[int]
    names: Mapping[int, Mapping[str, int]]
    width: int

    def place(self, X: Rows) -> Floats:
        """Return the places `[rows, dimensions]` of rows `[rows, features]`; unknown names are near to none."""
        X = as_float32(X).reshape(X.shape)
        places = np.zeros((len(X), self.width))
        places[:, : len(self.numbers)] = (X[:, self.numbers].astype(np.float64) - self.mean) / self.deviation
        for column, known in self.names.items():
            at = np.array([known.get(name, -1) for name in X[:, column].tolist()], dtype=np.int64)
            rows = np.flatnonzero(at >= 0)
            places[rows, at[rows]] = 1.0
        return places


def space_of(problem: Problem, X: Rows) -> Space:
    """Return the space of training rows `[rows, features]`, at least one."""
    kinds = [feature.kind for feature in problem.features]
    numbers = [column for column, kind in enumerate(kinds) if kind == "number"]
    values = as_float32(X).reshape(X.shape)[:, numbers].astype(np.float64)
    deviation = values.std(axis=0)
    names, width = {}, len(numbers)
    for column in sorted(set(range(len(kinds))) - set(numbers)):
        known = sorted(set(X[:, column].tolist()))
        names[column] = {name: width + place for place, name in enumerate(known)}
        width += len(known)
    return Space(values.mean(axis=0), np.where(deviation > 0, deviation, 1.0), numbers, names, width)


def nearest(places: Floats, known: Floats, count: int) -> tuple[Ints, Floats]:
    """Return the nearest known rows of each row, nearest first, and their distances; of equal distances the first rows.

    Args:
        places: the rows `[rows, dimensions]`.
        known: the rows among which to look `[known, dimensions]`.
        count: how many of them to return; all of them if they are fewer.

    Returns:
        Indices of `known` `[rows, count]`, and Euclidean distances `[rows, count]`.
    """
    count = min(count, len(known))
    found = np.zeros((len(places), count), dtype=np.int64)
    distances = np.zeros((len(places), count))
    if count == 0:
        return found, distances
    squares = (known**2).sum(axis=1)
    step = max(1, CHUNK // len(known))
    for start in range(0, len(places), step):
        part = places[start : start + step]
        # |a - b|² = |a|² - 2ab + |b|², which one product of matrices gives for all pairs.
        apart = np.maximum((part**2).sum(axis=1)[:, None] - 2 * part @ known.T + squares, 0.0)
        for row, line in enumerate(apart, start):
            found[row] = _smallest(line, count)
            # Anew, because the difference of large squares is not exact.
            distances[row] = np.sqrt(((known[found[row]] - places[row]) ** 2).sum(axis=1))
    return found, distances


def _smallest(line: Floats, count: int) -> npt.NDArray[np.int64]:
    limit = np.partition(line, count - 1)[count - 1]
    among = np.flatnonzero(line <= limit)
    return among[np.argsort(line[among], kind="stable")][:count]


class Crowd:
    """Rows of one origin, and how near they are to each other.

    Attributes:
        places: of the rows `[rows, dimensions]`.
    """

    def __init__(self, places: Floats) -> None:
        """Take the places of the rows."""
        self.places = places

    def has(self, places: Floats) -> npt.NDArray[np.bool_]:
        """Return for each place `[rows, dimensions]` whether it is as near to the crowd as its rows are to each other.

        The distance to the fifth nearest row is compared with the 99th percentile of the crowd's own (the detector of
        Ramaswamy, Rastogi and Shim, "Efficient algorithms for mining outliers from large data sets", SIGMOD 2000). A
        crowd of few rows has none.
        """
        if self._spread is None or not len(places):
            return np.zeros(len(places), dtype=np.bool_)
        _, distances = nearest(places, self._sample, CROWD_NEIGHBOURS)
        return distances[:, -1] <= self._spread

    @cached_property
    def _sample(self) -> Floats:
        if len(self.places) <= CROWD_ROWS:
            return self.places
        return self.places[np.random.default_rng(SEED).choice(len(self.places), CROWD_ROWS, replace=False)]

    @cached_property
    def _spread(self) -> float | None:
        if len(self.places) <= 2 * CROWD_NEIGHBOURS:
            return None
        # Each row is the nearest to itself.
        _, distances = nearest(self._sample, self._sample, CROWD_NEIGHBOURS + 1)
        return float(np.quantile(distances[:, -1], CROWD_QUANTILE))

"""How far what comes in is from what a model learnt from. Pure: numbers in, numbers and verdicts out.

A reference is a sample as well, often the smaller one: every p-value here is that of two samples.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from monitor.statistics.enough import DRIFT_ROWS
from monitor.statistics.two_sample_tests import chi_square, corrected, lepage, smirnov, stability

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Verdict = Literal["drift", "no drift", "not enough data"]

FALSE_DISCOVERIES = 0.05  # the share of drifts that are none, which is put up with
# What is worth telling: a subject needs one of these, and a p-value.
LIMITS: Mapping[str, float] = {
    # "A shift" by common usage. Source: N. Siddiqi, "Credit Risk Scorecards", 2006.
    "psi": 0.2,
    # All rows moved by a fifth of the deviation: the least effect that has a name, "small". Source: J. Cohen,
    # "Statistical Power Analysis for the Behavioral Sciences", 1988. Doubling a variance gives about a third.
    "wasserstein": 0.2,
    # A class that one row in a hundred had is gone: the index above does not see this below one in thirty.
    "vanished": 0.01,
}
# What is so near an edge or a quantile is equal to it: relative to its size, as clients may round to single precision;
# and to the distance of its neighbours, as confidences crowd below 1.
NEAR, NEARER = 1e-7, 1e-3


@dataclass(frozen=True)
class NumberReference:
    """A number as the model learnt it.

    Attributes:
        rows: how many it is from.
        mean: of them.
        std: their standard deviation.
        quantiles: 101 of them, evenly from the least value to the largest.
        edges: what bins end with, and include.
        shares: of the rows in each bin; there is one more than edges: that of the rows above the last.
        usual: mean and standard deviation of the rows that are no outliers; None in a bundle that does not tell.
    """

    rows: int
    mean: float
    std: float
    quantiles: Floats
    edges: Floats
    shares: Floats
    usual: tuple[float, float] | None = None


@dataclass(frozen=True)
class CategoryReference:
    """A category as the model learnt it: from how many rows, and the shares of the names in them."""

    rows: int
    shares: Mapping[str, float]


@dataclass(frozen=True)
class Drift:
    """How far a window is from a reference; without rows there are no statistics."""

    kind: Literal["number", "category"]
    rows: int
    statistics: Mapping[str, float]
    p_value: float


def number_drift(reference: NumberReference, values: Floats) -> Drift:
    """Compare the numbers of a window `[rows]` with the reference.

    Statistics: `psi` over the reference's bins; `wasserstein`, the mean distance between quantiles of the same rank, in
    standard deviations of the reference; `ks`, the largest distance between the distribution functions.

    The p-value is that of two tests, the smaller one doubled: Kolmogorov's and Smirnov's, which hardly sees a change of
    the spread, and Lepage's, which sees changes of location and spread, and no others.
    """
    if not len(values):
        return Drift("number", 0, {}, 1.0)
    ordered = np.sort(values)
    window, learnt = _binned(reference, ordered), reference.shares * reference.rows
    distance = _smirnov_distance(reference, ordered)
    cells = _between_quantiles(reference, ordered) if _tells_rows(reference) else (window, learnt)
    statistics = {
        "psi": stability(window, learnt),
        "wasserstein": _wasserstein(reference, ordered),
        "ks": distance,
    }
    p_value = 2 * min(smirnov(distance, len(values), reference.rows), lepage(*cells))
    return Drift("number", len(values), statistics, min(1.0, p_value))


def category_drift(reference: CategoryReference, counts: Mapping[str, int]) -> Drift:
    """Compare how often each name is in a window with the reference.

    Statistics: `psi`, in which the names that the reference does not know are one; `chi2`, which the p-value
    is of; `vanished`, the share of the reference's rows whose names the window does not have.
    """
    names = list(reference.shares)
    known = [counts.get(name, 0) for name in names]
    rows = sum(counts.values())
    if not rows:
        return Drift("category", 0, {}, 1.0)
    window = np.array([*known, rows - sum(known)], dtype=np.float64)
    learnt = np.array([*reference.shares.values(), 0.0]) * reference.rows
    squares, p_value = chi_square(window, learnt)
    vanished = float(learnt[window == 0].sum() / reference.rows)
    statistics = {"psi": stability(window, learnt), "chi2": squares, "vanished": vanished}
    return Drift("category", rows, statistics, p_value)


def verdicts(drifts: Mapping[str, Drift]) -> dict[str, Verdict]:
    """Return what to tell of each subject: a drift is large by `LIMITS`, and no accident.

    The more subjects there are the more accidents: p-values are corrected over all that have rows enough.
    """
    enough = {subject: drift.p_value for subject, drift in drifts.items() if drift.rows >= DRIFT_ROWS}
    p_values = dict(zip(enough, corrected(np.array(list(enough.values()))).tolist(), strict=True))
    return {subject: _verdict(drift, p_values.get(subject)) for subject, drift in drifts.items()}


def _verdict(drift: Drift, p_value: float | None) -> Verdict:
    if p_value is None:
        return "not enough data"
    large = any(drift.statistics.get(name, 0.0) > limit for name, limit in LIMITS.items())
    return "drift" if large and p_value < FALSE_DISCOVERIES else "no drift"


def _wasserstein(reference: NumberReference, ordered: Floats) -> float:
    ranks = (np.arange(len(ordered)) + 0.5) / len(ordered)
    grid = np.linspace(0.0, 1.0, len(reference.quantiles))
    # From the outermost quantiles to those beside them there is one row or a thousand: how they lie, nothing tells.
    inner = (ranks >= grid[1]) & (ranks <= grid[-2])
    distances = np.abs(ordered - np.interp(ranks, grid, reference.quantiles))[inner]
    distance = float(distances.mean()) if inner.any() else 0.0
    return distance / _deviation(reference, ordered) if distance else 0.0


def _deviation(reference: NumberReference, ordered: Floats) -> float:
    if reference.std > NEAR * np.abs(reference.quantiles).max():
        return reference.std
    # A constant has no deviation to measure by: that of both together stands in, which is not 0 if they differ.
    window, learnt = len(ordered), reference.rows
    weights = np.array([window, learnt]) / (window + learnt)
    apart = weights.prod() * (ordered.mean() - reference.mean) ** 2
    return float(np.sqrt(weights @ (ordered.var(), reference.std**2) + apart))


def _smirnov_distance(reference: NumberReference, ordered: Floats) -> float:
    """Return the largest distance of the window's distribution function from what the reference's can be.

    Between two quantiles it can be anything between their ranks, and measured values repeat: of the rows up to, and
    below, each quantile there are at least, and at most, so many.
    """
    quantiles, rows = reference.quantiles, reference.rows
    last = len(quantiles) - 1
    # A quantile lies between two rows, or is one: `before` are surely not above it, all but `after` surely not below.
    positions = np.arange(last + 1) * (rows - 1)
    before, after = positions // last + 1, -(-positions // last)
    points = np.unique(quantiles)
    lowest, highest = np.searchsorted(quantiles, points, "left"), np.searchsorted(quantiles, points, "right") - 1
    below, up_to = (places / len(ordered) for places in _places(points, ordered))
    distances = (
        before[highest] / rows - up_to,
        up_to - np.append(after[1:], rows)[highest] / rows,
        np.append(0, before)[lowest] / rows - below,
        below - after[lowest] / rows,
    )
    return max(0.0, float(np.max(distances)))


def _places(points: Floats, ordered: Floats) -> tuple[Ints, Ints]:
    """Return how many rows are below each of some points in order, and how many are not above it."""
    apart = np.diff(points, prepend=-np.inf, append=np.inf)
    margin = np.minimum(NEAR * np.abs(points), NEARER * np.minimum(apart[:-1], apart[1:]))
    return np.searchsorted(ordered, points - margin, "left"), np.searchsorted(ordered, points + margin, "right")


def _binned(reference: NumberReference, ordered: Floats) -> Floats:
    return _counts(_places(reference.edges, ordered)[1], ordered)


def _counts(ends: Ints, ordered: Floats) -> Floats:
    return np.diff(np.concatenate([[0], ends, [len(ordered)]])).astype(np.float64)


def _tells_rows(reference: NumberReference) -> bool:
    # Of more rows the quantiles skip some, and tell only roughly how many are equal; the bins tell it exactly.
    return reference.rows <= len(reference.quantiles)


def _between_quantiles(reference: NumberReference, ordered: Floats) -> tuple[Floats, Floats]:
    """Return the rows of window and reference in cells: below the first quantile, equal to it, below the next, …."""
    points, repeated = np.unique(reference.quantiles, return_counts=True)
    ends = np.column_stack(_places(points, ordered)).ravel()
    learnt = np.zeros(2 * len(points) + 1)
    learnt[1::2] = repeated * (reference.rows / len(reference.quantiles))
    return _counts(ends, ordered), learnt

"""Drift of a window against the reference: statistics, p-values and verdicts.

The reference is a sample, too, and often the smaller one. Each p-value is therefore that of a test of two samples.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from common.problem import Ints
from monitor.statistics.enough import DRIFT_ROWS
from monitor.statistics.reference import CategoryReference, Floats, NumberReference
from monitor.statistics.two_sample_tests import chi_square, corrected, lepage, smirnov, stability

Verdict = Literal["drift", "no drift", "not enough data"]

FALSE_DISCOVERIES = 0.05  # the accepted share of false alarms among the verdicts "drift"
# Effect sizes. A drift needs one statistic above its limit and a small p-value.
LIMITS: Mapping[str, float] = {
    # The usual limit of "a shift". Source: N. Siddiqi, "Credit Risk Scorecards", 2006.
    "psi": 0.2,
    # A move of all rows by a fifth of the standard deviation, the effect size called "small". Source: J. Cohen,
    # "Statistical Power Analysis for the Behavioral Sciences", 1988. Doubling the variance gives about a third.
    "wasserstein": 0.2,
    # A class with one row in a hundred is gone. PSI does not show that for a class with fewer than one in thirty.
    "vanished": 0.01,
}
# A value this near to an edge or a quantile counts as equal to it, because clients may round to single precision. The
# first tolerance is relative to the size of the edge, the second to the distance of the neighbouring edges, because
# confidences lie close together below 1.
RELATIVE_TOLERANCE, NEIGHBOUR_TOLERANCE = 1e-7, 1e-3


@dataclass(frozen=True)
class Drift:
    """The difference between a window and a reference; a window without rows has no statistics."""

    kind: Literal["number", "category"]
    rows: int
    statistics: Mapping[str, float]
    p_value: float


def number_drift(reference: NumberReference, values: Floats) -> Drift:
    """Compare the numbers of a window `[rows]` with the reference.

    Statistics: `psi`, over the reference's bins; `wasserstein`, the mean distance between quantiles of the same rank,
    in standard deviations of the reference; `ks`, the largest distance between the distribution functions.

    The p-value is the smaller one of two tests, doubled for the choice between them. The Kolmogorov-Smirnov test is
    weak against a change of the spread; Lepage's test finds changes of location and spread, and no others.
    """
    if not len(values):
        return Drift("number", 0, {}, 1.0)
    ordered = np.sort(values)
    window = _counts(_ranks(reference.edges, ordered)[1], ordered)
    learnt = reference.shares * reference.rows
    distance = _smirnov_distance(reference, ordered)
    # With more rows than quantiles, the quantiles give the number of equal rows only roughly; the bins are exact.
    has_all_rows = reference.rows <= len(reference.quantiles)
    cells = _between_quantiles(reference, ordered) if has_all_rows else (window, learnt)
    statistics = {"psi": stability(window, learnt), "wasserstein": _wasserstein(reference, ordered), "ks": distance}
    p_value = 2 * min(smirnov(distance, len(values), reference.rows), lepage(*cells))
    return Drift("number", len(values), statistics, min(1.0, p_value))


def category_drift(reference: CategoryReference, counts: Mapping[str, int]) -> Drift:
    """Compare the rows of a window by name with the reference.

    Statistics: `psi`, which counts all names that are new to the reference as one; `chi2`, which the p-value belongs
    to; `vanished`, the share of the reference's rows whose names do not occur in the window.
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
    """Return a verdict on each subject: "drift" if a statistic is above its limit and the p-value is small.

    Among many subjects some have a small p-value by chance. The p-values of all subjects with enough rows are therefore
    corrected together.
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
    # Between an outermost quantile and its neighbour lie one row or a thousand, at unknown places: they are left out.
    inner = (ranks >= grid[1]) & (ranks <= grid[-2])
    distances = np.abs(ordered - np.interp(ranks, grid, reference.quantiles))[inner]
    distance = float(distances.mean()) if inner.any() else 0.0
    return distance / _deviation(reference, ordered) if distance else 0.0


def _deviation(reference: NumberReference, ordered: Floats) -> float:
    if reference.std > RELATIVE_TOLERANCE * np.abs(reference.quantiles).max():
        return reference.std
    # A constant has the standard deviation 0. The deviation of both samples together replaces it: it is above 0 if
    # they differ.
    window, learnt = len(ordered), reference.rows
    weights = np.array([window, learnt]) / (window + learnt)
    apart = weights.prod() * (ordered.mean() - reference.mean) ** 2
    return float(np.sqrt(weights @ (ordered.var(), reference.std**2) + apart))


def _smirnov_distance(reference: NumberReference, ordered: Floats) -> float:
    """Return the least value that the Kolmogorov-Smirnov distance can have, given the reference's quantiles.

    Between two quantiles the reference's distribution function has an unknown value between their ranks, and values
    repeat. Each quantile gives bounds on the number of rows up to it and below it; the window is compared with these.
    """
    quantiles, rows = reference.quantiles, reference.rows
    last = len(quantiles) - 1
    # A quantile is a row or lies between two rows: at least `before` rows are not above it, at most `after` below it.
    positions = np.arange(last + 1) * (rows - 1)
    before, after = positions // last + 1, -(-positions // last)
    points = np.unique(quantiles)
    lowest, highest = np.searchsorted(quantiles, points, "left"), np.searchsorted(quantiles, points, "right") - 1
    below, up_to = (ranks / len(ordered) for ranks in _ranks(points, ordered))
    distances = (
        before[highest] / rows - up_to,
        up_to - np.append(after[1:], rows)[highest] / rows,
        np.append(0, before)[lowest] / rows - below,
        below - after[lowest] / rows,
    )
    return max(0.0, float(np.max(distances)))


def _ranks(points: Floats, ordered: Floats) -> tuple[Ints, Ints]:
    """Return the number of rows below each point, and the number not above it; `points` are in order."""
    apart = np.diff(points, prepend=-np.inf, append=np.inf)
    neighbour = np.minimum(apart[:-1], apart[1:])
    margin = np.minimum(RELATIVE_TOLERANCE * np.abs(points), NEIGHBOUR_TOLERANCE * neighbour)
    return np.searchsorted(ordered, points - margin, "left"), np.searchsorted(ordered, points + margin, "right")


def _counts(ends: Ints, ordered: Floats) -> Floats:
    return np.diff(np.concatenate([[0], ends, [len(ordered)]])).astype(np.float64)


def _between_quantiles(reference: NumberReference, ordered: Floats) -> tuple[Floats, Floats]:
    """Return the rows of window and reference by cell: below the first quantile, equal to it, below the next, …."""
    points, repeated = np.unique(reference.quantiles, return_counts=True)
    ends = np.column_stack(_ranks(points, ordered)).ravel()
    learnt = np.zeros(2 * len(points) + 1)
    learnt[1::2] = repeated * (reference.rows / len(reference.quantiles))
    return _counts(ends, ordered), learnt

"""Tests of two samples that are counted in the same cells: effect sizes and p-values."""

from typing import Any

import numpy as np

# `scipy.special` costs 27 MB and 0.2 s at import; `scipy.stats` would cost 76 MB and 0.8 s.
from scipy.special import chdtrc, kolmogorov

from monitor.statistics.reference import Floats

SMALLEST_SHARE = 1e-4  # in place of 0, which has no logarithm
# The least number of expected rows in a cell for the chi-square distribution. Source: W. G. Cochran, "Some methods for
# strengthening the common chi-square tests", Biometrics 10, 1954.
SCARCE = 5.0
# Monte Carlo draws for the p-value: 199 first; 1 999 only if that estimate is at most 0.2. With thirty cells 1 999
# draws take 10 ms, and the smallest possible p-value is 1 in 2 000.
DRAWS, LARGE_P = (199, 1_999), 0.2


def stability(window: Floats, learnt: Floats) -> float:
    """Return the population stability index (PSI) of the rows in each cell.

    The PSI is the sum over the cells of (p - q) ln(p / q), with p the share of the window and q the share of the
    reference. It is 0 for equal shares.
    """
    actual, expected = (np.maximum(counts / counts.sum(), SMALLEST_SHARE) for counts in (window, learnt))
    return float(((actual - expected) * np.log(actual / expected)).sum())


def smirnov(distance: float, rows: int, others: int) -> float:
    """Return the p-value of the Kolmogorov-Smirnov distance between two samples of `rows` and `others` rows.

    The p-value is the limit for large samples; for small samples it is slightly too large.
    """
    p_value: Any = kolmogorov(distance * np.sqrt(rows / (rows + others) * others))
    return float(p_value)


def lepage(window: Floats, learnt: Floats) -> float:
    """Return the p-value that two samples, counted in ordered cells, have the same location and the same spread.

    Source: Y. Lepage, "A combination of Wilcoxon's and Ansari-Bradley's statistics", Biometrika 58, 1971. Here Mood's
    scores replace those of Ansari and Bradley, and tied rows have the rank in their middle.
    """
    rows, others = window.sum(), learnt.sum()
    shares = (window + learnt) / (rows + others)
    ranks = np.cumsum(shares) - shares / 2 - 0.5
    scores = np.array([ranks, ranks**2])
    scores -= (scores @ shares)[:, np.newaxis]
    covariance = (scores * shares) @ scores.T * (1 / rows + 1 / others) * (rows + others) / (rows + others - 1)
    difference = scores @ (window / rows - learnt / others)
    # The upper tail of the chi-square distribution with two degrees of freedom. Two cells have only one degree; the
    # p-value is then too large, never too small.
    return float(np.exp(-difference @ np.linalg.pinv(covariance, rcond=1e-9, hermitian=True) @ difference / 2))


def chi_square(window: Floats, learnt: Floats) -> tuple[float, float]:
    """Return Pearson's chi-square statistic of two samples in the same cells, and its p-value.

    With few rows in a cell the statistic does not follow the chi-square distribution. Small cells are not pooled,
    because a class that has vanished from the window is one of them. The p-value is then the share of random tables
    with the same row and column sums whose statistic is at least as large.
    """
    totals = window + learnt
    window, learnt, totals = window[totals > 0], learnt[totals > 0], totals[totals > 0]
    statistic = _pearson(window, totals)
    smaller = min(window.sum(), learnt.sum())
    if (totals * smaller / totals.sum()).min() >= SCARCE:
        p_value: Any = chdtrc(len(totals) - 1, statistic) if len(totals) > 1 else 1.0
        return float(statistic), float(p_value)
    return float(statistic), _drawn(statistic, totals, round(smaller))


def _drawn(statistic: Floats, totals: Floats, rows: int) -> float:
    rng, sums = np.random.default_rng(0), np.rint(totals).astype(np.int64)
    for draws in DRAWS:
        tables = rng.multivariate_hypergeometric(sums, rows, size=draws, method="marginals").astype(np.float64)
        # The factor makes up for rounding in tables with exactly the same statistic.
        as_large = np.count_nonzero(_pearson(tables, totals) >= statistic * (1 - 1e-9))
        p_value = (as_large + 1) / (draws + 1)
        if p_value > LARGE_P:
            break
    return float(p_value)


def _pearson(counts: Floats, totals: Floats) -> Floats:
    """Return the statistic of tables with two rows; `counts` `[..., cells]` is one row, `totals` the sum of both."""
    share = counts.sum(axis=-1, keepdims=True) / totals.sum()
    return np.asarray(((counts - totals * share) ** 2 / (totals * share * (1 - share))).sum(axis=-1))


def corrected(p_values: Floats) -> Floats:
    """Return p-values corrected for the false discovery rate.

    Source: Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", J. R. Stat. Soc. B 57, 1995.
    """
    order = np.argsort(p_values)[::-1]
    ranks = np.arange(len(p_values), 0, -1)
    found = np.empty(len(p_values))
    found[order] = np.minimum.accumulate(np.minimum(p_values[order] * len(p_values) / ranks, 1.0))
    return found

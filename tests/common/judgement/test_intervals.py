"""Tango's limits are those of maximum likelihood by brute force, and Fisher's p-values are SciPy's."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import fisher_exact

from common.judgement.intervals import tango
from common.judgement.world import fisher

Counts = tuple[int, int, int]


@st.composite
def counts(draw: st.DrawFn) -> Counts:
    """Gain, harm and number of rows."""
    n = draw(st.integers(2, 400))
    gain = draw(st.integers(0, n))
    return gain, draw(st.integers(0, n - gain)), n


def restricted(gain: int, harm: int, n: int, difference: float) -> float:
    """Return the share of harm that maximises the likelihood of the counts, given the difference of the shares."""

    def loss(share: float) -> float:
        shares = (share + difference, share, 1 - 2 * share - difference)
        return -sum(
            count * math.log(max(each, 1e-300))
            for count, each in zip((gain, harm, n - gain - harm), shares, strict=True)
        )

    ends = max(-difference, 0.0), (1 - difference) / 2
    found = minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-14})
    # The likelihood is flat at its top: where its slope is zero is more exact than where it is largest.
    lower, upper = max(found.x - 1e-5, ends[0] + 1e-15), min(found.x + 1e-5, ends[1] - 1e-15)

    def slope(share: float) -> float:
        return gain / (share + difference) + harm / share - 2 * (n - gain - harm) / (1 - 2 * share - difference)

    if lower < upper and slope(lower) > 0 > slope(upper):
        return float(brentq(slope, lower, upper, xtol=1e-16, rtol=1e-14))
    return float(min((ends[0], ends[1], found.x), key=loss))


def limit_by_force(gain: int, harm: int, n: int, alpha: float) -> float:
    z = NormalDist().inv_cdf(1 - alpha)

    def excess(difference: float) -> float:
        variance = n * (2 * restricted(gain, harm, n, difference) + difference - difference**2)
        return gain - harm - n * difference - z * math.sqrt(max(variance, 0.0))

    return float(brentq(excess, -1 + 1e-12, (gain - harm) / n - 1e-7, xtol=1e-13))


@pytest.mark.parametrize(("margin", "rows"), [(0.01, 268), (0.02, 133), (0.03, 88), (0.05, 52)])
def test_rows_without_harm_show_that_a_version_is_not_worse_by_more_than_the_margin(margin: float, rows: int) -> None:
    assert tango(0, 0, rows, 0.05) > -margin
    assert tango(0, 0, rows - 1, 0.05) <= -margin


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.0004])
@pytest.mark.parametrize(
    "counted",
    [(1, 1, 30), (3, 1, 30), (1, 3, 30), (0, 4, 30), (4, 0, 30), (9, 21, 30), (20, 25, 500), (40, 2, 1500), (7, 3, 10)],
)
def test_the_limit_is_that_of_maximum_likelihood_by_force(counted: Counts, alpha: float) -> None:
    assert tango(*counted, alpha) == pytest.approx(limit_by_force(*counted, alpha), abs=1e-9)


def test_thirty_rows_answered_alike_show_only_eight_points() -> None:
    assert tango(0, 0, 30, 0.05) == pytest.approx(-0.083, abs=5e-4)


@given(counted=counts(), alpha=st.sampled_from([0.5, 0.05, 0.001, 1e-6]))
@example(counted=(0, 0, 1), alpha=0.05)
@example(counted=(0, 5, 5), alpha=0.05)
@example(counted=(5, 0, 5), alpha=0.05)
@settings(deadline=None)
def test_the_limit_lies_between_minus_one_and_the_difference(counted: Counts, alpha: float) -> None:
    gain, harm, n = counted
    assert -1 <= tango(*counted, alpha) <= (gain - harm) / n
    assert -tango(harm, gain, n, alpha) >= (gain - harm) / n


@given(counted=counts())
@settings(deadline=None)
def test_more_harm_lowers_the_limit_and_more_gain_raises_it(counted: Counts) -> None:
    gain, harm, n = counted
    limit = tango(gain, harm, n + 1, 0.05)
    assert tango(gain, harm + 1, n + 1, 0.05) < limit + 1e-12
    assert tango(gain + 1, harm, n + 1, 0.05) > limit - 1e-12


def test_the_limit_is_wrong_about_as_often_as_alpha_says() -> None:
    rng = np.random.default_rng(7)
    drawn = rng.multinomial(300, (0.02, 0.04, 0.94), size=4_000)
    wrong = np.mean([tango(int(gain), int(harm), 300, 0.05) > -0.02 for gain, harm, _ in drawn])
    assert 0.035 < wrong < 0.065


def test_no_rows_say_nothing() -> None:
    assert tango(0, 0, 0, 0.05) == -1


@pytest.mark.parametrize(
    ("gain", "harm", "n", "alpha"), [(-1, 0, 5, 0.05), (3, 3, 5, 0.05), (1, 1, 5, 0.0), (1, 1, 5, 0.7)]
)
def test_impossible_counts_and_levels_are_refused(gain: int, harm: int, n: int, alpha: float) -> None:
    with pytest.raises(ValueError, match=f"gain {gain}, harm {harm}"):
        tango(gain, harm, n, alpha)


@given(
    right=st.integers(0, 60), wrong=st.integers(0, 60), other_right=st.integers(0, 60), other_wrong=st.integers(0, 60)
)
@settings(deadline=None)
def test_the_exact_test_is_that_of_scipy(right: int, wrong: int, other_right: int, other_wrong: int) -> None:
    table = [[right, wrong], [other_right, other_wrong]]
    expected = fisher_exact(table, alternative="less").pvalue
    assert fisher(right, right + wrong, other_right, other_right + other_wrong) == pytest.approx(expected, abs=1e-9)

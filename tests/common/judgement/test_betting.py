"""The e-values are right for known counts, whatever the order of the rows, and seldom wrong about equal versions."""

import math

import numpy as np
import pytest

from common.judgement.betting import (
    BETS,
    MOST_TRUTHS,
    e_not_worse,
    e_value,
    e_worse,
    judge_probation,
    judge_trial,
)

SEED = 20261128


def money_row_by_row(rows: list[int], claim: float) -> float:
    """Play the eight gamblers row by row."""
    money = np.ones(len(BETS))
    for x in rows:
        money *= 1 + BETS * (x - claim)
    return float(money.mean())


@pytest.mark.parametrize("claim", [0.0, -0.02, -0.1])
def test_the_counts_give_the_money_of_rows_in_any_order(claim: float) -> None:
    rows = [1] * 9 + [-1] * 4 + [0] * 60
    for seed in range(3):
        shuffled = np.random.default_rng(seed).permutation(rows).tolist()
        assert e_value(9, 4, 60, claim) == pytest.approx(money_row_by_row(shuffled, claim), rel=1e-9)


def test_nothing_seen_is_no_evidence() -> None:
    assert e_value(0, 0, 0, -0.02) == pytest.approx(1)


def test_a_million_rows_overflow_nothing() -> None:
    assert e_worse(0, 10**6, 0) == math.inf
    assert e_worse(10**6, 0, 0) == 0


def test_241_equal_answers_show_that_a_version_is_at_most_2_points_worse() -> None:
    assert next(n for n in range(1000) if e_not_worse(0, 0, n, 0.02) >= 20) == 241


def test_no_worse_version_is_seldom_taken_for_worse_in_2000_looks() -> None:
    """Two versions that differ in 4 % of the rows, each right as often, are compared after each truth."""
    rng = np.random.default_rng(SEED)
    false = 0
    for _ in range(300):
        x = rng.choice([1, -1, 0], 2000, p=[0.02, 0.02, 0.96])
        wins, losses = np.cumsum(x == 1), np.cumsum(x == -1)
        looks = np.flatnonzero(x)  # the e-value changes only where the versions differ
        false += any(e_worse(int(wins[i]), int(losses[i]), int(i + 1 - wins[i] - losses[i])) >= 100 for i in looks)
    assert false <= 6  # 0.4 % is expected, 1 % at most by the theory; 6 of 300 happen by chance once in a thousand runs


def test_half_of_the_versions_that_are_five_points_worse_are_found_within_300_truths() -> None:
    rng = np.random.default_rng(SEED)
    found = 0
    for _ in range(200):
        x = rng.choice([1, -1, 0], 300, p=[0.01, 0.06, 0.93])
        wins, losses = np.cumsum(x == 1), np.cumsum(x == -1)
        found += any(
            e_worse(int(wins[i]), int(losses[i]), int(i + 1 - wins[i] - losses[i])) >= 100 for i in np.flatnonzero(x)
        )
    assert found >= 100


def test_a_trial_ends_in_each_of_four_ways() -> None:
    assert judge_trial(0, 0, 240, 0.02) is None
    assert judge_trial(0, 0, 241, 0.02) == "promote"
    assert judge_trial(1, 15, 30, 0.02) == "retire"
    assert judge_trial(40, 62, MOST_TRUTHS - 103, 0.005) is None
    assert judge_trial(40, 62, MOST_TRUTHS - 102, 0.005) == "end"


def test_a_probation_ends_with_a_rollback_or_after_2000_truths() -> None:
    assert judge_probation(0, 0, MOST_TRUTHS - 1) is None
    assert judge_probation(0, 0, MOST_TRUTHS) == "end"
    assert judge_probation(1, 15, 30) == "roll back"
    assert judge_probation(15, 1, 30) is None

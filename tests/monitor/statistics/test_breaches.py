"""Breaches of the limits, and windows that keep the limits although they look odd."""

import re

import numpy as np
import pytest

from common.store.monitoring.alerts import Breach
from monitor.statistics.breaches import (
    ACCURACY,
    ALL_KINDS,
    DRIFT,
    FEATURE_MEAN,
    OUTLIERS,
    RECALL,
    breaches,
    looked_for,
)
from monitor.statistics.drift import Verdict
from monitor.statistics.enough import MEAN_ROWS, SHARE_ROWS
from monitor.statistics.performance import measured
from monitor.statistics.reference import Results
from monitor.statistics.window import CLASS, CONFIDENCE, Evaluation, Subject

MEAN, STD = 4.0, 0.5


def number(
    mean: float | None,
    rows: int = 10_000,
    verdict: Verdict = "no drift",
    learnt: float = MEAN,
    learnt_from: int = 1_000_000,
) -> Subject:
    return Subject(
        kind="number",
        rows=rows,
        mean_rows=rows,
        mean=mean,
        reference_rows=learnt_from,
        reference_mean=learnt,
        reference_std=STD,
        statistics={"psi": 0.3125, "ks": 0.25},
        p_value=0.00123,
        verdict=verdict,
    )


def window(outliers: int = 0, told: int = 100, **subjects: Subject) -> Evaluation:
    return Evaluation(
        rows=told, told_outlier=told, outliers=outliers, confidence_mean=None, class_counts={}, subjects=subjects
    )


def named(subjects: dict[str, Subject]) -> Evaluation:
    return window().model_copy(update={"subjects": subjects})


def found(evaluation: Evaluation) -> set[Breach]:
    return set(breaches(evaluation))


@pytest.mark.parametrize(
    ("subject", "is_out"),
    [
        # A mean may be five per cent off either way.
        (number(4.0), False),
        (number(4.199), False),
        (number(4.201), True),
        (number(3.801), False),
        (number(3.799), True),
        # Four standard errors of 0.5 / sqrt(rows) are 0.25 with 64 rows, and 0.224 with 80.
        (number(4.24, rows=64), False),
        (number(4.24, rows=80), True),
        (number(4.24, rows=1_000_000, learnt_from=64), False),
        (number(4.24, rows=1_000_000, learnt_from=80), True),
        # A mean below zero is off by its distance.
        (number(-4.1, learnt=-MEAN), False),
        (number(-3.7, learnt=-MEAN), True),
        # A mean of too few rows is unknown.
        (number(None, MEAN_ROWS - 1), False),
        (number(40.0, MEAN_ROWS), True),
    ],
)
def test_a_mean_is_a_breach_beyond_five_per_cent_and_four_standard_errors(subject: Subject, *, is_out: bool) -> None:
    assert found(window(x=subject)) == ({(FEATURE_MEAN, "x")} if is_out else set())


@pytest.mark.parametrize("mean", [-0.04, 0.04])
def test_a_mean_near_zero_may_be_off_by_chance_by_any_percentage(mean: float) -> None:
    assert found(window(x=number(mean, rows=1_000, learnt=0.004))) == set()
    message = breaches(window(x=number(0.1, rows=1_000, learnt=0.004)))[FEATURE_MEAN, "x"]
    assert message.endswith("; up to 0.0633 is allowed")


def test_a_mean_that_was_zero_has_a_distance_and_no_percentage() -> None:
    message = breaches(window(x=number(0.3, learnt=0.0)))[FEATURE_MEAN, "x"]
    assert "0.3 above the training mean 0;" in message
    assert found(window(x=number(0.01, learnt=0.0))) == set()


def test_false_alarms_of_means_are_rare_where_nothing_has_changed() -> None:
    rng = np.random.default_rng(8)
    windows = 20_000
    for rows in (MEAN_ROWS, 100, 1000):
        means = rng.normal(MEAN, 4 * STD / np.sqrt(rows), size=windows)
        wide = number(MEAN, rows).model_copy(update={"reference_std": 4 * STD})
        alarms = sum(bool(found(window(x=wide.model_copy(update={"mean": mean})))) for mean in means.tolist())
        assert alarms / windows <= 0.0005


def test_the_mean_of_the_confidence_is_no_feature() -> None:
    assert found(named({CONFIDENCE: number(40.0)})) == set()


@pytest.mark.parametrize(("outliers", "told", "is_out"), [(20, 100, False), (29, 100, True), (2050, 10_000, False)])
def test_a_fifth_may_be_outliers_and_more_by_chance(outliers: int, told: int, *, is_out: bool) -> None:
    assert found(window(outliers, told)) == ({(OUTLIERS, "")} if is_out else set())


def test_a_few_rows_are_no_news_although_all_of_them_are_outliers() -> None:
    assert found(window(1, 1)) == found(window(SHARE_ROWS - 1, SHARE_ROWS - 1)) == set()
    assert found(window(SHARE_ROWS, SHARE_ROWS)) == {(OUTLIERS, "")}


@pytest.mark.parametrize("subject", ["x", CLASS, CONFIDENCE])
def test_a_verdict_of_drift_is_out_of_bounds_and_no_other(subject: str) -> None:
    assert found(named({subject: number(MEAN, verdict="drift")})) == {(DRIFT, subject)}
    assert found(named({subject: number(MEAN, verdict="no drift")})) == set()
    assert found(named({subject: number(MEAN, verdict="not enough data")})) == set()


def test_nothing_is_out_of_bounds_without_rows_or_without_a_reference() -> None:
    assert found(window(0, 0, x=number(None, 0, "not enough data"))) == set()
    assert found(window(x=Subject(kind="number", rows=1000, mean=99.0))) == set()


def test_all_breaches_are_found_at_once() -> None:
    evaluation = window(90, 100, x=number(9.0, verdict="drift"), y=number(9.0))
    assert found(evaluation) == {(OUTLIERS, ""), (FEATURE_MEAN, "x"), (FEATURE_MEAN, "y"), (DRIFT, "x")}


def test_messages_describe_a_breach_with_its_numbers() -> None:
    messages = breaches(window(90, 100, x=number(4.4, verdict="drift"), y=number(3.6)))
    assert messages[OUTLIERS, ""] == (
        "90.0 % of 100 rows are outliers, which are unlike the training rows; up to 20 % is allowed"
    )
    assert messages[FEATURE_MEAN, "x"] == (
        "mean of x 4.4 in 10000 predictions, 10.0 % above the training mean 4; up to 5 % is allowed"
    )
    assert re.search(r"mean of y 3\.6 .* 10\.0 % below", messages[FEATURE_MEAN, "y"])
    assert (
        messages[DRIFT, "x"] == "x has drifted from the reference: psi 0.312, ks 0.25, p = 0.00123, 10000 predictions"
    )


def test_a_dropped_recall_is_a_breach_also_for_the_longest_class_name() -> None:
    long = "x" * 256
    results = Results((long, "b"), np.array([[50, 0], [0, 50]]))
    evaluation = window().model_copy(update={"performance": measured({(long, "b"): 50, ("b", "b"): 50}, results)})
    assert {kind for kind, _ in found(evaluation)} == {ACCURACY, RECALL}
    assert max(len(subject) for _, subject in found(evaluation)) <= 256


def test_without_a_reference_only_outliers_are_looked_for() -> None:
    assert looked_for(window(x=number(MEAN))) == ALL_KINDS
    assert looked_for(window(x=Subject(kind="number", rows=1, mean=1.0))) == {OUTLIERS}
    assert looked_for(window()) == {OUTLIERS}

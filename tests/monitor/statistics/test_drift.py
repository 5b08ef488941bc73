"""Statistics and verdicts on drift: against SciPy's, on samples of one distribution, and on what has moved."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from scipy.stats import chi2_contingency, false_discovery_control, ks_2samp, norm, wasserstein_distance

from benchmarks.more.drift import (
    DETECTED_AT_LEAST,
    FALSE_ALARMS_AT_MOST,
    SHIFTS,
    WINDOWS,
    Drawing,
    Population,
    drift_share,
    from_learnt,
    from_population,
    population_of,
    reference_of,
)
from monitor.statistics.drift import LIMITS, Drift, category_drift, number_drift, verdicts
from monitor.statistics.enough import DRIFT_ROWS
from monitor.statistics.reference import CategoryReference, Floats, NumberReference
from monitor.statistics.two_sample_tests import chi_square, corrected
from monitor.statistics.window import CLASS

Draw = Callable[[np.random.Generator, int], Floats]

DISTRIBUTIONS: Mapping[str, Draw] = {
    "normal": lambda rng, rows: rng.normal(size=rows),
    "rounded": lambda rng, rows: np.round(rng.normal(size=rows), 1),
    "whole and skewed": lambda rng, rows: np.round(rng.lognormal(3.0, 1.15, rows)),
    "mostly zero": lambda rng, rows: np.where(rng.random(rows) < 0.76, 0.0, np.round(rng.gamma(0.9, 10.0, rows), 2)),
    "close below one": lambda rng, rows: (1 - rng.beta(0.2, 3.0, rows)).astype(np.float32).astype(np.float64),
}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def numbers(values: Floats) -> NumberReference:
    reference = reference_of(values)
    assert isinstance(reference, NumberReference)
    return reference


def moved(p_value: float = 0.001, rows: int = DRIFT_ROWS, statistics: Mapping[str, float] | None = None) -> Drift:
    return Drift("number", rows, statistics or {"psi": 1.0}, p_value)


# Numbers


def test_statistics_of_numbers_are_those_of_scipy(rng: np.random.Generator) -> None:
    learnt, window = rng.normal(5.0, 2.0, 4_000), rng.normal(6.0, 3.0, 3_000)
    drift = number_drift(numbers(learnt), window)
    assert (drift.kind, drift.rows) == ("number", 3_000)
    assert drift.statistics["ks"] == pytest.approx(ks_2samp(learnt, window).statistic, abs=0.015)
    assert drift.statistics["wasserstein"] == pytest.approx(
        wasserstein_distance(learnt, window) / learnt.std(), rel=0.05
    )


def test_the_index_is_the_sum_of_its_formula() -> None:
    reference = NumberReference(100, 0.5, 1.0, np.linspace(-1, 1, 101), np.array([0.0]), np.array([0.25, 0.75]))
    values = np.repeat([-1.0, 1.0], DRIFT_ROWS)
    assert number_drift(reference, values).statistics["psi"] == pytest.approx(0.25 * np.log(2) - 0.25 * np.log(2 / 3))


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("rows", [90, 5_000])
def test_the_learnt_rows_themselves_are_no_drift(name: str, rows: int, rng: np.random.Generator) -> None:
    learnt = DISTRIBUTIONS[name](rng, rows)
    drift = number_drift(numbers(learnt), np.tile(learnt, 10))
    assert drift.statistics == pytest.approx({"psi": 0.0, "wasserstein": 0.0, "ks": 0.0}, abs=0.03)
    assert drift.p_value > 0.5


@pytest.mark.parametrize(("rows", "others", "times"), [(90, 500, 400), (500, 2_000, 300), (50_000, 60_000, 60)])
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_p_values_of_one_distribution_are_not_too_small(
    name: str, rows: int, others: int, times: int, rng: np.random.Generator
) -> None:
    draw = DISTRIBUTIONS[name]
    found = [number_drift(numbers(draw(rng, rows)), draw(rng, others)).p_value for _ in range(times)]
    # One in twenty is the share that is right; three standard deviations more are an accident of the draws.
    assert np.mean(np.array(found) < 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / times)


def test_values_that_a_client_rounds_to_single_precision_have_not_moved(rng: np.random.Generator) -> None:
    learnt = np.round(rng.normal(5.8, 0.8, 90), 1)
    window = np.tile(learnt, 10).astype(np.float32).astype(np.float64)
    exact, single = (number_drift(numbers(learnt), each) for each in (np.tile(learnt, 10), window))
    assert single.statistics == pytest.approx(exact.statistics, abs=1e-6)
    assert single.p_value == exact.p_value


@pytest.mark.parametrize("learnt", [0.1, 0.0, 1e6])
def test_a_constant_that_stays_has_not_moved_and_one_that_changes_has(learnt: float) -> None:
    reference = numbers(np.full(90, learnt))
    stays, changes = (number_drift(reference, np.full(DRIFT_ROWS, learnt + step)) for step in (0.0, 1.0))
    assert stays.statistics == {"psi": 0.0, "wasserstein": 0.0, "ks": 0.0}
    assert changes.statistics["ks"] == 1.0
    assert LIMITS["wasserstein"] < changes.statistics["wasserstein"] < np.inf
    assert verdicts({"stays": stays, "changes": changes}) == {"stays": "no drift", "changes": "drift"}


def test_a_wider_spread_is_seen_where_the_largest_distance_is_small() -> None:
    learnt, window = (norm.ppf((np.arange(rows) + 0.5) / rows) for rows in (90, 1_000))
    window *= np.sqrt(2.0)
    assert ks_2samp(learnt, window).pvalue > 0.5
    assert number_drift(numbers(learnt), window).p_value < 0.01


# Categories


def test_statistics_of_categories_are_those_of_scipy() -> None:
    reference = CategoryReference(200, {"a": 0.5, "b": 0.3, "c": 0.2})
    drift = category_drift(reference, {"a": 200, "b": 210, "c": 190})
    expected = chi2_contingency([[200, 210, 190], [100, 60, 40]], correction=False)
    assert (drift.kind, drift.rows) == ("category", 600)
    assert drift.statistics["chi2"] == pytest.approx(expected.statistic)
    assert drift.p_value == pytest.approx(expected.pvalue)
    p, q = np.array([200, 210, 190]) / 600, np.array([0.5, 0.3, 0.2])
    assert drift.statistics["psi"] == pytest.approx(((p - q) * np.log(p / q)).sum())
    assert drift.statistics["vanished"] == 0.0


def test_names_that_nobody_has_learnt_are_one_however_many_there_are() -> None:
    reference = CategoryReference(1_000, {"a": 0.5, "b": 0.5})
    new = {f"new {number}": 1 for number in range(300)}
    many = category_drift(reference, {"a": 350, "b": 350, **new})
    assert many == category_drift(reference, {"a": 350, "b": 350, "new": 300})
    assert verdicts({"name": many}) == {"name": "drift"}


@pytest.mark.parametrize(("rows", "others"), [(14, 500), (30, 2_000), (9_000, 500)])
@pytest.mark.parametrize("shares", [(0.34, 0.33, 0.33), (0.97, 0.03), (0.1,) * 10, (0.8, *(0.2 / 40,) * 40)])
def test_p_values_of_the_same_shares_are_not_too_small(
    rows: int, others: int, shares: tuple[float, ...], rng: np.random.Generator
) -> None:
    found = [
        chi_square(rng.multinomial(others, shares).astype(float), rng.multinomial(rows, shares).astype(float))[1]
        for _ in range(100)
    ]
    assert np.mean(np.array(found) < 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 100)


@pytest.mark.parametrize("rows", [30, 10_000])
def test_a_vanished_class_is_seen_also_with_few_training_rows(rows: int) -> None:
    drift = category_drift(CategoryReference(rows, {"a": 0.4, "b": 0.3, "c": 0.3}), {"a": 430, "b": 320})
    assert drift.statistics["vanished"] == pytest.approx(0.3)
    assert verdicts({CLASS: drift}) == {CLASS: "drift"}


def test_a_rare_class_that_has_vanished_is_seen_although_the_index_is_small() -> None:
    drift = category_drift(CategoryReference(10_000, {"No": 0.98, "Yes": 0.02}), {"No": 1_000})
    assert drift.statistics["psi"] < LIMITS["psi"]
    assert verdicts({CLASS: drift}) == {CLASS: "drift"}


def test_one_class_alone_is_no_drift() -> None:
    drift = category_drift(CategoryReference(50, {"a": 1.0}), {"a": 700})
    assert (drift.statistics, drift.p_value) == ({"psi": 0.0, "chi2": 0.0, "vanished": 0.0}, 1.0)


# Verdicts


def test_a_window_without_rows_has_no_statistics(rng: np.random.Generator) -> None:
    empty = {
        "number": number_drift(numbers(rng.normal(size=90)), np.array([])),
        "category": category_drift(CategoryReference(90, {"a": 1.0}), {}),
    }
    assert [drift.statistics for drift in empty.values()] == [{}, {}]
    assert verdicts(empty) == {"number": "not enough data", "category": "not enough data"}


def test_below_the_rows_that_it_needs_nothing_has_drifted_however_far(rng: np.random.Generator) -> None:
    far = number_drift(numbers(rng.normal(size=90)), rng.normal(50.0, 1.0, DRIFT_ROWS))
    assert verdicts({"x": far}) == {"x": "drift"}
    few = number_drift(numbers(rng.normal(size=90)), rng.normal(50.0, 1.0, DRIFT_ROWS - 1))
    assert verdicts({"x": few}) == {"x": "not enough data"}


def test_a_verdict_needs_both_an_effect_and_a_p_value() -> None:
    told = verdicts({
        "both": moved(),
        "a small effect": moved(statistics={"psi": 0.1, "wasserstein": 0.1, "ks": 0.9}),
        "an accident": moved(p_value=0.2),
    })  # fmt: skip
    assert told == {"both": "drift", "a small effect": "no drift", "an accident": "no drift"}


@pytest.mark.parametrize("name", LIMITS)
def test_any_one_effect_is_enough(name: str) -> None:
    assert verdicts({"x": moved(statistics={name: LIMITS[name] * 1.01})}) == {"x": "drift"}
    assert verdicts({"x": moved(statistics={name: LIMITS[name]})}) == {"x": "no drift"}


def test_the_more_subjects_the_smaller_a_p_value_has_to_be() -> None:
    others = {str(number): moved(p_value=0.9) for number in range(30)}
    assert verdicts({"x": moved(p_value=0.01)})["x"] == "drift"
    assert verdicts({"x": moved(p_value=0.01), **others})["x"] == "no drift"


def test_subjects_without_rows_enough_do_not_count_among_them() -> None:
    others = {str(number): moved(p_value=0.9, rows=DRIFT_ROWS - 1) for number in range(30)}
    assert verdicts({"x": moved(p_value=0.01), **others})["x"] == "drift"


@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_p_values_are_corrected_as_scipy_does(count: int, rng: np.random.Generator) -> None:
    p_values = np.round(rng.random(count) ** 3, 2)
    assert corrected(p_values) == pytest.approx(false_discovery_control(p_values) if count else [])


# On the problems' own rows


@pytest.fixture(scope="module", params=["iris", "breast_cancer", "travel_insurance"])
def population(request: pytest.FixtureRequest) -> Population:
    if request.param == "iris":
        return population_of("iris", learnt=90, held=30, candidate=7)
    if request.param == "breast_cancer":
        return population_of("breast_cancer", learnt=341, held=114)
    return population_of("travel_insurance", learnt=3_000, held=1_000, rows=8_000)


@pytest.mark.parametrize("draw", [from_learnt, from_population])
def test_of_200_windows_without_drift_one_in_twenty_at_most_has_a_false_alarm(
    population: Population, draw: Drawing
) -> None:
    assert drift_share(population, draw, SHIFTS["none"], WINDOWS) <= FALSE_ALARMS_AT_MOST


@pytest.mark.parametrize(
    ("shift", "at_least"),
    [("mean by 0.5 sd", DETECTED_AT_LEAST), ("one class gone", DETECTED_AT_LEAST), ("variance doubled", 0.8)],
)
def test_a_shift_is_detected(population: Population, shift: str, at_least: float) -> None:
    assert drift_share(population, from_population, SHIFTS[shift], 60) >= at_least


def test_few_learnt_rows_make_no_false_alarms() -> None:
    few = population_of("breast_cancer", learnt=42, held=14)
    assert drift_share(few, from_population, SHIFTS["none"], WINDOWS) <= FALSE_ALARMS_AT_MOST

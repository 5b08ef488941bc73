"""A window of predictions, as numbers."""

from dataclasses import replace

import numpy as np
import pytest

from common.bundle.model import OnnxModel
from common.problem import Problem, Table
from common.store.predictions import PredictionRow
from monitor.statistics.breaches import breaches
from monitor.statistics.columns import ROWS_AT_ONCE
from monitor.statistics.enough import DRIFT_ROWS, MEAN_ROWS, SHARE_ROWS
from monitor.statistics.reference import CategoryReference, NumberReference, Reference, read_reference
from monitor.statistics.window import CLASS, CONFIDENCE, MOST_NAMES, OTHERS, Distribution, Evaluation, evaluate
from scripts.traffic_rows import RowSource, Traffic
from tests.common.store.rows import CLASSES, FEATURES, SETOSA, VERSICOLOR, prediction
from tests.monitor.references import answered

EDGES = NumberReference(100, 0.5, 1.0, np.linspace(-1, 2, 101), np.array([0.0, 1.0]), np.array([0.25, 0.25, 0.5]))
ONE_WIDE = {"petal_width": 1.2}
AGENCIES = CategoryReference(100, {"EPX": 0.75, "CWT": 0.25})


def only(**features: NumberReference | CategoryReference) -> Reference:
    return Reference(1, ("a", "b"), {}, features, None, None)


def rows_of(name: str, *values: float | str) -> list[PredictionRow]:
    return [prediction(str(number)) | {"features": {name: value}} for number, value in enumerate(values)]


def test_no_rows_say_nothing(learnt: Reference) -> None:
    window = evaluate([], learnt)
    assert (window.rows, window.outliers, window.outlier_ratio, window.confidence_mean) == (0, 0, None, None)
    assert window.class_counts == dict.fromkeys(CLASSES, 0)
    assert window.class_shares == {}
    assert window.subjects.keys() == {*FEATURES, CLASS, CONFIDENCE}
    assert {subject.verdict for subject in window.subjects.values()} == {"not enough data"}
    assert {subject.mean for subject in window.subjects.values()} == {None}


def test_no_rows_without_a_reference_say_nothing_of_features() -> None:
    window = evaluate([], None)
    assert window.features == {}
    assert window.class_counts == {}


def test_shares_and_means_are_those_of_the_rows_with_values(learnt: Reference) -> None:
    rows: list[PredictionRow] = [
        prediction("a") | {"is_outlier": True, "confidence": 0.9, "features": {**FEATURES, "petal_width": 12.0}},
        prediction("b") | {"is_outlier": False, "confidence": 0.5},
        prediction("c", VERSICOLOR) | {"is_outlier": None, "confidence": None, "features": FEATURES | ONE_WIDE},
    ]
    window = evaluate(rows * MEAN_ROWS, learnt)
    assert (window.rows, window.told_outlier, window.outliers, window.outlier_ratio) == (150, 100, 50, 0.5)
    assert window.confidence_mean == pytest.approx(0.7)
    assert window.class_shares == pytest.approx({SETOSA: 2 / 3, VERSICOLOR: 1 / 3, CLASSES[2]: 0})
    width = window.features["petal_width"]
    # Without the outliers, which would move it.
    assert (width.rows, width.mean_rows) == (150, 100)
    assert width.mean == pytest.approx((0.2 + 1.2) / 2)


def test_means_and_shares_need_a_number_of_rows(learnt: Reference) -> None:
    assert MEAN_ROWS == SHARE_ROWS
    usual, outlier = prediction("a"), prediction("b") | {"is_outlier": True}
    few, enough = evaluate([usual] * (MEAN_ROWS - 1), learnt), evaluate([usual] * MEAN_ROWS, learnt)
    assert (few.outlier_ratio, few.confidence_mean, few.class_shares) == (None, None, {})
    assert (enough.outlier_ratio, enough.class_shares[SETOSA]) == (0, 1)
    assert enough.confidence_mean == pytest.approx(0.7)
    assert {subject.mean for subject in few.subjects.values()} == {None}
    assert enough.features["petal_width"].mean == pytest.approx(0.2)
    # Enough for a share, and for the mean one too few.
    mixed = evaluate([*[usual] * (MEAN_ROWS - 1), outlier], learnt)
    assert (mixed.outlier_ratio, mixed.features["petal_width"].mean) == (1 / SHARE_ROWS, None)


@pytest.mark.parametrize("count", [1, 46, 600])
def test_healthy_traffic_with_a_few_absurd_rows_is_in_bounds(problem: Problem, bundle: bytes, count: int) -> None:
    model, table = OnnxModel(bundle), problem.load(None)
    known = read_reference(1, model.metadata)
    for seed in range(10):
        traffic = RowSource(Traffic(seed=seed), problem, table)
        asked = [traffic.at(number).features for number in range(count)]
        is_outlier = model.is_outlier(model.predict(model.as_rows([list(each.values()) for each in asked])))
        assert is_outlier is not None
        rows = [
            prediction("") | {"features": features, "is_outlier": told, "confidence": None}
            for features, told in zip(asked, is_outlier.tolist(), strict=True)
        ]
        assert breaches(evaluate(rows, known)) == {}, seed


def test_a_feature_stands_beside_its_training_statistics(table: Table, learnt: Reference) -> None:
    length = evaluate([prediction("a")], learnt).features["sepal_length"]
    assert length.reference_rows == 150
    assert length.reference_mean == pytest.approx(table.X[:, 0].mean())
    assert length.reference_std == pytest.approx(table.X[:, 0].std())


def test_the_rows_that_the_model_has_learnt_from_are_no_drift(
    problem: Problem, table: Table, learnt: Reference
) -> None:
    window = evaluate(answered(problem, table, times=4), learnt)
    assert {subject.verdict for subject in window.subjects.values()} == {"no drift"}
    indices = [subject.statistics["psi"] for subject in window.subjects.values()]
    assert indices == pytest.approx([0.0] * 6, abs=0.01)
    for subject in window.subjects.values():
        assert subject.distribution
        assert subject.distribution.window == pytest.approx(subject.distribution.reference, abs=1e-4)
        assert sum(subject.distribution.window) == pytest.approx(1, abs=1e-3)


def test_a_shifted_feature_is_a_drift_and_the_others_are_none(
    problem: Problem, table: Table, learnt: Reference
) -> None:
    X = table.X.copy()
    X[:, 0] += X[:, 0].std()
    window = evaluate(answered(problem, replace(table, X=X), times=4), learnt)
    assert {name for name, subject in window.subjects.items() if subject.verdict == "drift"} == {"sepal_length"}
    length = window.subjects["sepal_length"]
    assert length.statistics["psi"] > 0.5
    assert length.p_value is not None
    assert length.p_value < 1e-6


def test_a_class_that_is_not_answered_any_more_and_lower_confidence_are_drifts(
    problem: Problem, table: Table, learnt: Reference
) -> None:
    rows = [row for row in answered(problem, table, times=6) if row["class_name"] != SETOSA]
    window = evaluate([row | {"confidence": 0.6} for row in rows], learnt)
    assert window.subjects[CLASS].verdict == "drift"
    assert window.subjects[CONFIDENCE].verdict == "drift"
    assert window.class_counts[SETOSA] == 0


def test_there_is_no_verdict_below_the_rows_that_it_needs(problem: Problem, table: Table, learnt: Reference) -> None:
    rows = answered(problem, table, times=4)[:DRIFT_ROWS]
    fewer = evaluate(rows[1:], learnt)
    assert {subject.verdict for subject in fewer.subjects.values()} == {"not enough data"}
    assert [(subject.statistics, subject.p_value) for subject in fewer.subjects.values()] == [({}, None)] * 6
    assert "not enough data" not in {subject.verdict for subject in evaluate(rows, learnt).subjects.values()}


def test_answers_of_another_version_are_not_compared_but_its_rows_are(
    problem: Problem, table: Table, learnt: Reference
) -> None:
    others = answered(problem, table, times=4, version=2)
    window = evaluate([*others, prediction("mine")], learnt)
    assert (window.rows, window.class_counts[SETOSA]) == (601, 201)
    assert window.subjects["sepal_width"].rows == 601
    assert (window.subjects[CLASS].rows, window.subjects[CONFIDENCE].rows) == (1, 1)
    assert window.subjects[CLASS].verdict == "not enough data"


def test_without_a_reference_there_are_means_and_shares_and_no_verdicts(problem: Problem, table: Table) -> None:
    window = evaluate(answered(problem, table, times=4, version=7), None)
    assert window.features.keys() == set(problem.columns)
    assert window.features["sepal_length"].mean == pytest.approx(table.X[:, 0].mean())
    assert {subject.verdict for subject in window.subjects.values()} == {None}
    assert {subject.reference_rows for subject in window.subjects.values()} == {None}
    assert window.subjects[CLASS].rows == 600


def test_a_model_without_probabilities_has_no_confidence_to_compare(learnt: Reference) -> None:
    window = evaluate([prediction("a") | {"confidence": None}], replace(learnt, confidence=None))
    assert window.confidence_mean is None
    assert (window.subjects[CONFIDENCE].rows, window.subjects[CONFIDENCE].verdict) == (0, None)


def test_numbers_are_counted_as_the_reference_was_an_edge_belonging_to_the_bin_below() -> None:
    x = evaluate(rows_of("x", -1, 0, 0.5, 3), only(x=EDGES)).features["x"]
    expected = Distribution(
        labels=["up to 0", "0 to 1", "above 1"], window=[0.5, 0.25, 0.25], reference=[0.25, 0.25, 0.5]
    )
    assert x.distribution == expected


def test_a_constant_that_was_learnt_is_one_bin_or_two() -> None:
    none = replace(EDGES, edges=np.empty(0), shares=np.array([1.0]))
    one = replace(EDGES, edges=np.array([2.0]), shares=np.array([1.0, 0.0]))
    window = evaluate([prediction("a") | {"features": {"x": 1.0, "y": 3.0}}], only(x=none, y=one))
    assert [subject.distribution and subject.distribution.labels for subject in window.features.values()] == [
        ["all"],
        ["up to 2", "above 2"],
    ]
    assert window.features["y"].distribution == Distribution(
        labels=["up to 2", "above 2"], window=[0, 1], reference=[1, 0]
    )


def test_names_that_were_not_learnt_are_one_however_many_they_are() -> None:
    values = ["EPX"] * 60 + [f"new {number}" for number in range(20)]
    agency = evaluate(rows_of("Agency", *values), only(Agency=AGENCIES)).features["Agency"]
    assert (agency.kind, agency.rows, agency.mean) == ("category", 80, None)
    assert agency.distribution == Distribution(
        labels=["EPX", "CWT", OTHERS], window=[0.75, 0.0, 0.25], reference=[0.75, 0.25, 0.0]
    )


def test_a_category_without_a_reference_shows_its_most_frequent_names() -> None:
    values = [f"name {number}" for number in range(60)] + ["name 59"] * 40
    agency = evaluate(rows_of("Agency", *values), None).features["Agency"]
    assert agency.distribution
    assert agency.distribution.labels[0] == "name 59"
    assert len(agency.distribution.labels) == MOST_NAMES + 1
    assert agency.distribution.window[-1] == pytest.approx(0.1)
    assert agency.distribution.reference is None


def test_values_that_are_no_numbers_are_left_out_of_a_numeric_feature() -> None:
    values: list[float | str] = [1.0, "many", float("nan"), float("inf"), 3.0] * MEAN_ROWS
    x = evaluate(rows_of("x", *values), only(x=EDGES)).features["x"]
    assert (x.rows, x.mean) == (2 * MEAN_ROWS, 2.0)


def test_numbers_are_names_where_names_were_learnt() -> None:
    x = evaluate(rows_of("x", "EPX", 1, 1), only(x=AGENCIES)).features["x"]
    assert (x.kind, x.rows) == ("category", 3)


def test_a_feature_that_was_not_learnt_or_is_not_asked_any_more_is_there_without_a_comparison() -> None:
    window = evaluate(rows_of("new", *[1.0, 2.0] * MEAN_ROWS), only(old=EDGES))
    assert (window.features["new"].mean, window.features["new"].verdict) == (1.5, None)
    assert (window.features["old"].rows, window.features["old"].verdict) == (0, "not enough data")


def test_rows_of_models_with_other_features_are_evaluated_together() -> None:
    rows = [*rows_of("x", *[1.0] * ROWS_AT_ONCE), *rows_of("y", *[2.0] * 3)]
    window = evaluate(iter(rows), None)
    assert {name: subject.rows for name, subject in window.features.items()} == {"x": ROWS_AT_ONCE, "y": 3}


def test_more_rows_than_are_looked_at_at_once_are_all_counted() -> None:
    numbers = np.random.default_rng(1).normal(size=2 * ROWS_AT_ONCE + 7).tolist()
    window = evaluate(iter(rows_of("x", *numbers)), None)
    assert window.rows == len(numbers)
    assert window.features["x"].mean == pytest.approx(np.mean(numbers))


@pytest.mark.parametrize("times", [0, 1, 4])
def test_an_evaluation_goes_to_json_and_back(problem: Problem, table: Table, learnt: Reference, times: int) -> None:
    for known in (learnt, None):
        window = evaluate(answered(problem, table, times=times), known)
        assert Evaluation.model_validate(window.model_dump(mode="json")) == window
        assert Evaluation.model_validate_json(window.model_dump_json()) == window

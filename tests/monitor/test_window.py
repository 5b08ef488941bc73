"""A window of predictions, as numbers."""

import numpy as np
import pytest

from common.onnx_export import reference_statistics
from common.problem import Floats, Problem, Table
from common.store.predictions import PredictionRow
from monitor.reference import Reference, read_reference
from monitor.window import ENOUGH_ROWS, evaluate_window
from tests.common.store.rows import FEATURES, prediction


@pytest.fixture(scope="module")
def rows(problem: Problem) -> Table:
    return problem.load(None)


@pytest.fixture(scope="module")
def reference(problem: Problem, rows: Table) -> Reference:
    """What a model that has learnt from all of iris carries."""
    return read_reference(reference_statistics(problem, rows))


def answered(problem: Problem, X: Floats) -> list[PredictionRow]:
    return [
        prediction(str(number)) | {"features": dict(zip(problem.columns, row, strict=True))}
        for number, row in enumerate(X.tolist())
    ]


def test_no_rows_say_nothing(reference: Reference) -> None:
    window = evaluate_window([], reference)
    assert (window.rows, window.outliers, window.confidence) == (0, None, None)
    assert (window.means, window.psi) == ({}, {})


def test_shares_and_means_are_those_of_the_rows_that_tell(reference: Reference) -> None:
    rows = [
        prediction("a") | {"is_outlier": True, "confidence": 0.9, "features": {**FEATURES, "petal_width": 1.2}},
        prediction("b") | {"is_outlier": False, "confidence": 0.5},
        prediction("c") | {"is_outlier": None, "confidence": None},
    ]
    window = evaluate_window(rows, reference)
    assert (window.rows, window.outliers) == (3, 0.5)
    assert window.confidence == pytest.approx(0.7)
    assert window.means["petal_width"] == pytest.approx((1.2 + 0.2 + 0.2) / 3)


def test_there_is_no_index_below_the_rows_that_it_needs(problem: Problem, rows: Table, reference: Reference) -> None:
    many = np.tile(rows.X, (4, 1))[:ENOUGH_ROWS]
    assert evaluate_window(answered(problem, many[1:]), reference).psi == {}
    assert evaluate_window(answered(problem, many), reference).psi.keys() == set(problem.columns)


def test_the_training_rows_themselves_have_an_index_of_zero(
    problem: Problem, rows: Table, reference: Reference
) -> None:
    window = evaluate_window(answered(problem, np.tile(rows.X, (4, 1))), reference)
    assert window.psi == pytest.approx(dict.fromkeys(problem.columns, 0.0), abs=1e-9)


def test_the_index_of_a_shifted_feature_is_large_and_that_of_the_others_is_not(
    problem: Problem, rows: Table, reference: Reference
) -> None:
    shifted = np.tile(rows.X, (4, 1))
    shifted[:, 0] += rows.X[:, 0].std()
    psi = evaluate_window(answered(problem, shifted), reference).psi
    assert psi["sepal_length"] > 0.5
    assert max(psi[name] for name in problem.columns[1:]) < 0.01


def test_the_index_is_the_sum_of_its_formula() -> None:
    described = {"x": {"mean": 0.5, "bins": {"edges": [0.0], "shares": [0.25, 0.75]}}}
    values = np.where(np.arange(ENOUGH_ROWS) < ENOUGH_ROWS / 2, -1.0, 1.0)
    rows = [prediction(str(n)) | {"features": {"x": float(value)}} for n, value in enumerate(values)]
    window = evaluate_window(rows, read_reference({"features": described}))
    assert window.psi["x"] == pytest.approx(0.25 * np.log(2) - 0.25 * np.log(2 / 3))


def test_a_bin_that_nobody_is_in_any_more_counts_and_is_finite(reference: Reference, problem: Problem) -> None:
    alike = np.tile(np.array([list(FEATURES.values())]), (ENOUGH_ROWS, 1))
    psi = evaluate_window(answered(problem, alike), reference).psi
    assert all(1.0 < value < np.inf for value in psi.values())


def test_a_feature_that_the_reference_does_not_know_has_no_index(problem: Problem, rows: Table) -> None:
    window = evaluate_window(answered(problem, np.tile(rows.X, (4, 1))), {})
    assert window.psi == {}
    assert window.means.keys() == set(problem.columns)

"""The scorer of outliers: the rows that it flags, and that its ONNX graph gives the same scores."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from common.bundle.model import OnnxModel
from common.bundle.outliers import OutlierScorer, fit_outlier_scorer
from common.problem import Floats, Problem, Table
from common.split import split
from common.table import read_table

STRANGE = np.array([[1.0, 2.0, 3.0, 4.0]])


@pytest.fixture(scope="module")
def test_rows(prepared_data: Path, problem: Problem) -> Floats:
    return read_table(prepared_data / "test.csv", problem, indices=True).X


def normal(count: int, seed: int) -> Table:
    X = np.random.default_rng(seed).normal(size=(count, 2))
    return Table(X, np.zeros(count, dtype=np.int64))


def test_a_flower_like_no_other_is_an_outlier(scorer: OutlierScorer, content: bytes) -> None:
    [score] = scorer.score(STRANGE)
    assert score < scorer.threshold < 0
    bundle = OnnxModel(content)
    flags = bundle.is_outlier(bundle.predict(STRANGE.astype(np.float32)))
    assert flags is not None
    assert flags.tolist() == [True]


def test_no_held_out_flower_is_an_outlier(scorer: OutlierScorer, content: bytes, test_rows: Floats) -> None:
    assert scorer.score(test_rows).min() >= scorer.threshold
    bundle = OnnxModel(content)
    flags = bundle.is_outlier(bundle.predict(test_rows.astype(np.float32)))
    assert flags is not None
    assert flags.tolist() == [False] * 30


@pytest.mark.parametrize("spread", [0.5, 2.0, 100.0])
def test_the_graph_scores_as_scikit_learn_does(
    scorer: OutlierScorer, content: bytes, test_rows: Floats, spread: float
) -> None:
    drawn = np.random.default_rng(0).normal(test_rows.mean(axis=0), spread, (1000, 4)).astype(np.float32)
    found = OnnxModel(content).predict(drawn).outlier_scores
    assert found is not None
    assert (found.shape, str(found.dtype)) == ((1000,), "float32")
    np.testing.assert_allclose(found, scorer.score(drawn), rtol=0, atol=1e-5)


def test_scores_are_those_of_the_pipeline_on_standardised_rows(
    scorer: OutlierScorer, rows: Table, test_rows: Floats
) -> None:
    fitting, _ = split(rows)
    scaled = (test_rows - fitting.X.mean(axis=0)) / fitting.X.std(axis=0)
    svm = scorer.pipeline[-1]
    assert (svm.nu, svm.gamma) == (0.05, "scale")
    np.testing.assert_allclose(scorer.score(test_rows), svm.decision_function(scaled))


def test_a_column_that_never_changes_can_be_scored() -> None:
    constant = Table(np.ones((20, 2)), np.zeros(20, dtype=np.int64))
    scorer = fit_outlier_scorer(constant, constant)
    assert np.isfinite([scorer.threshold, *scorer.score(np.array([[1.0, 5.0]]))]).all()


def test_the_metrics_have_the_threshold_and_the_rate() -> None:
    scorer = OutlierScorer(pipeline=None, threshold=-0.123456, training_rate=1 / 30)
    assert scorer.metrics == {"outlier_threshold": -0.123456, "outlier_rate": 1 / 30}


def mixed(count: int, seed: int) -> Table:
    """Return rows of a name, a number near ten, another name, a number near one."""
    rng = np.random.default_rng(seed)
    columns = (
        rng.choice(["a", "b"], count),
        rng.normal(10, 1, count),
        rng.choice(["c", "d"], count),
        rng.random(count),
    )
    return Table(np.array([*map(list, columns)], dtype=object).T.copy(), rng.integers(0, 2, count))


@pytest.mark.parametrize(("make", "count"), [(normal, 1000), (mixed, 500)])
def test_one_validation_row_in_a_hundred_is_below_the_threshold_and_as_few_fitting_rows(
    make: Callable[[int, int], Table], count: int
) -> None:
    fitting, validation = make(count, 1), make(2 * count, 2)
    scorer = fit_outlier_scorer(fitting, validation)
    assert (scorer.score(validation.X) < scorer.threshold).sum() == count // 50
    assert scorer.training_rate == (scorer.score(fitting.X) < scorer.threshold).mean()
    assert 0 < scorer.training_rate < 0.05
    assert 0.003 < (scorer.score(make(2000, 3).X) < scorer.threshold).mean() < 0.03


def test_of_mixed_rows_the_numbers_are_scored_and_names_make_no_difference() -> None:
    scorer = fit_outlier_scorer(mixed(500, seed=1), mixed(500, seed=2))
    near, other, far = scorer.score(
        np.array([["a", 10.0, "c", 0.5], ["never seen", 10.0, "", 0.5], ["a", 30.0, "c", 0.5]], dtype=object)
    )
    assert near == other > scorer.threshold > far


def test_of_mixed_rows_the_numbers_are_standardised_each_by_itself() -> None:
    fitting = mixed(500, seed=1)
    scorer = fit_outlier_scorer(fitting, mixed(500, seed=2))
    numbers = fitting.X[:, [1, 3]].astype(np.float64)
    expected = fit_outlier_scorer(Table(numbers, fitting.y), Table(numbers, fitting.y))
    np.testing.assert_allclose(scorer.score(fitting.X), expected.score(numbers))


def test_of_many_rows_a_sample_is_fitted_the_same_each_time() -> None:
    many = normal(5000, seed=1)
    first, second = fit_outlier_scorer(many, many), fit_outlier_scorer(many, many)
    support = first.pipeline[-1]
    assert (support.shape_fit_, support.n_support_.sum() < 2000) == ((2000, 2), True)
    assert (first.threshold, first.training_rate) == (second.threshold, second.training_rate)
    np.testing.assert_array_equal(first.score(many.X), second.score(many.X))
    # The sample is drawn from all rows, not from the first ones alone.
    assert first.threshold != fit_outlier_scorer(Table(many.X[:2000], many.y[:2000]), many).threshold
    assert 0.003 < (first.score(normal(5000, seed=2).X) < first.threshold).mean() < 0.03


def test_two_thousand_rows_are_fitted_whole() -> None:
    rows = normal(2000, seed=1)
    scorer = fit_outlier_scorer(rows, rows)
    scaled = (rows.X - rows.X.mean(axis=0)) / rows.X.std(axis=0)
    assert scorer.pipeline[-1].shape_fit_ == (2000, 2)
    np.testing.assert_allclose(scorer.pipeline[0].transform(rows.X), scaled)

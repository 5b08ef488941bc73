"""Breast cancer: thirty measurements, two families of which one gives no probabilities, little to learn from."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.pipeline import Pipeline

from common.bundle.export import export_onnx
from common.bundle.model import OnnxModel
from common.bundle.outliers import fit_outlier_scorer
from common.bundle.parity import check_parity
from common.problem import Candidate, Classifier, Number, Table, get_problem, probabilities_of
from common.refit import refit
from common.split import split
from common.table import DataError, table_bytes
from preprocess import preprocess
from preprocess import split as set_apart

PROBLEM = get_problem("breast_cancer")
FAMILIES = ("logistic regression", "perceptron")


@pytest.fixture(scope="module")
def tumours() -> Table:
    return PROBLEM.load(None)


@pytest.fixture(scope="module")
def train_and_test(tumours: Table) -> tuple[Table, Table]:
    return set_apart(tumours, PROBLEM.test_share)


def first_of(family: str) -> Candidate:
    return next(each for each in PROBLEM.candidates() if each.family == family)


@pytest.fixture(scope="module", params=FAMILIES)
def fitted(request: pytest.FixtureRequest, train_and_test: tuple[Table, Table]) -> Classifier:
    train, _ = train_and_test
    return first_of(request.param).fit(train.X, train.y)


def coefficients(model: Any) -> np.ndarray:
    return np.concatenate([model[-1].coef_.ravel(), model[-1].intercept_])


def corrections(rows: Table, count: int) -> Table:
    return Table(rows.X[:count], rows.y[:count])


def test_there_are_569_tumours_of_two_kinds_with_thirty_measurements(tumours: Table) -> None:
    assert (tumours.X.shape, str(tumours.X.dtype)) == ((569, 30), "float64")
    assert np.bincount(tumours.y).tolist() == [212, 357]


def test_columns_and_classes_are_named_as_published() -> None:
    bunch = load_breast_cancer()
    assert list(PROBLEM.columns) == bunch.feature_names.tolist()
    assert list(PROBLEM.target.classes) == bunch.target_names.tolist()


def test_every_measurement_is_plausible_and_the_example_is_the_first_tumour(tumours: Table) -> None:
    for feature, column in zip(PROBLEM.features, tumours.X.T, strict=True):
        assert isinstance(feature, Number)
        assert feature.unit
        assert feature.minimum <= column.min() <= column.max() <= feature.maximum
        assert feature.example == column[0]


def test_a_tenth_is_learnt_from_and_the_rest_is_held_out(tmp_path: Path, tumours: Table) -> None:
    (tmp_path / "data.csv").write_bytes(table_bytes(tumours, PROBLEM.target.classes))
    counts = preprocess(PROBLEM, tmp_path)
    assert (counts["train.csv"], counts["test.csv"]) == (56, 513)


def test_a_file_with_a_header_in_another_order_is_read(tmp_path: Path, tumours: Table) -> None:
    names = ["id", *PROBLEM.columns, "diagnosis"]
    line = ["842302", *map(str, tumours.X[0].tolist()), "malignant"]
    path = tmp_path / "wdbc.csv"
    path.write_text(f"{','.join(reversed(names))}\n{','.join(reversed(line))}\n", encoding="utf-8")
    loaded = PROBLEM.load(path)
    np.testing.assert_array_equal(loaded.X, tumours.X[:1])
    assert loaded.y.tolist() == [0]


def test_a_file_without_a_measurement_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "wdbc.csv"
    path.write_text(",".join([*PROBLEM.columns[1:], "diagnosis"]) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"column mean radius: missing in the header"):
        PROBLEM.load(path)


def test_two_families_compete_each_in_several_strengths() -> None:
    found = [candidate.family for candidate in PROBLEM.candidates()]
    assert {family: found.count(family) for family in found} == dict.fromkeys(FAMILIES, 3)


def test_each_candidate_fits_as_its_parameters_say(train_and_test: tuple[Table, Table]) -> None:
    train, _ = train_and_test
    for candidate in PROBLEM.candidates():
        model = candidate.fit(train.X, train.y)
        assert isinstance(model, Pipeline)
        assert candidate.params["family"] == candidate.family
        strength = candidate.params["regularisation"]
        if candidate.family == "perceptron":
            assert isinstance(model[-1], Perceptron)
            assert (model[-1].alpha, model[-1].penalty) == (strength, "l2")
        else:
            assert isinstance(model[-1], LogisticRegression)
            assert (model[-1].C, model[-1].solver) == (1 / float(strength), "liblinear")


def test_a_tenth_is_enough_to_be_right_in_most_held_out_rows(
    train_and_test: tuple[Table, Table], fitted: Classifier
) -> None:
    _, test = train_and_test
    assert (fitted.predict(test.X) == test.y).mean() > 0.85


def test_the_graph_says_the_same_on_all_rows(train_and_test: tuple[Table, Table], fitted: Classifier) -> None:
    train, test = train_and_test
    scorer = fit_outlier_scorer(*split(train))
    graph = export_onnx(fitted, PROBLEM, train, scorer)
    check_parity(OnnxModel(graph.SerializeToString()), fitted, test.X, scorer)
    answer = OnnxModel(graph.SerializeToString()).predict(test.X.astype(np.float32))
    probabilities = probabilities_of(fitted, test.X)
    is_perceptron = isinstance(fitted[-1], Perceptron)  # type: ignore[index]
    assert is_perceptron == (answer.probabilities is None) == (probabilities is None)


def test_fitting_again_makes_another_model_of_the_same_family(
    train_and_test: tuple[Table, Table], fitted: Classifier
) -> None:
    train, test = train_and_test
    before = coefficients(fitted)
    tuned = refit(fitted, train, corrections(test, 20))
    np.testing.assert_array_equal(coefficients(fitted), before)
    assert not np.array_equal(coefficients(tuned), before)
    assert isinstance(tuned, Pipeline)
    assert tuned[-1].get_params() == fitted[-1].get_params()  # type: ignore[index]


def test_corrections_weigh_one_and_original_rows_less(train_and_test: tuple[Table, Table], fitted: Classifier) -> None:
    train, test = train_and_test
    added = corrections(test, 20)
    expected = first_of(FAMILIES[0] if isinstance(fitted[-1], LogisticRegression) else FAMILIES[1])  # type: ignore[index]
    X, y = np.concatenate([train.X, added.X]), np.concatenate([train.y, added.y])
    other: Any = expected.fit(X, y)
    weights = np.array([0.7] * len(train.y) + [1.0] * 20)
    other[-1].fit(other[:-1].transform(X), y, sample_weight=weights)
    tuned = refit(fitted, train, added)
    np.testing.assert_allclose(coefficients(tuned), coefficients(other))


def test_a_correction_that_is_repeated_often_enough_is_believed(
    train_and_test: tuple[Table, Table], fitted: Classifier
) -> None:
    train, test = train_and_test
    wrong = np.flatnonzero(fitted.predict(test.X) != test.y)[0]
    insisted = Table(np.repeat(test.X[[wrong]], 100, axis=0), np.repeat(test.y[[wrong]], 100))
    tuned = refit(fitted, train, insisted)
    assert tuned.predict(test.X[[wrong]]).tolist() == [test.y[wrong]]

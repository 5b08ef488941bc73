"""Iris: the published data with their errata mended, the grid, and how corrections are learnt."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier

from common.problem import Number, Problem, Table
from common.table import DataError, table_bytes
from problems.iris import ERRATA, continue_training, refit

# The 35th and the 38th row, as the UCI file has them and as they are in Fisher's article.
WRONG = {35: "4.9,3.1,1.5,0.1,Iris-setosa", 38: "4.9,3.1,1.5,0.1,Iris-setosa"}
RIGHT = {35: "4.9,3.1,1.5,0.2,Iris-setosa", 38: "4.9,3.6,1.4,0.1,Iris-setosa"}


@pytest.fixture(scope="module")
def flowers(problem: Problem) -> Table:
    return problem.load(None)


@pytest.fixture(scope="module")
def fitted(problem: Problem, flowers: Table) -> MLPClassifier:
    return problem.candidates()[0].fit(flowers.X, flowers.y)


@pytest.fixture
def lines(problem: Problem, flowers: Table) -> list[str]:
    return table_bytes(flowers, problem.target.classes).decode().splitlines()


def correction(label: int, times: int = 1) -> Table:
    return Table(np.array([[6.0, 2.7, 5.1, 1.6]] * times), np.array([label] * times))


def loaded(problem: Problem, folder: Path, lines: list[str]) -> Table:
    """Return the table of a file with these lines."""
    (folder / "iris.data").write_text("\n".join(lines), encoding="utf-8")
    return problem.load(folder / "iris.data")


def coefficients(model: MLPClassifier) -> list[np.ndarray]:
    return [*model.coefs_, *model.intercepts_]


def test_there_are_fifty_flowers_of_each_species(flowers: Table) -> None:
    assert flowers.X.shape == (150, 4)
    assert flowers.y.tolist() == [0] * 50 + [1] * 50 + [2] * 50


def test_the_copy_in_scikit_learn_has_the_two_rows_right(lines: list[str]) -> None:
    assert {row: lines[row - 1] for row in RIGHT} == RIGHT


def test_the_classes_are_named_as_in_the_uci_file(problem: Problem) -> None:
    assert problem.target.classes == ("Iris-setosa", "Iris-versicolor", "Iris-virginica")
    assert [name.removeprefix("Iris-") for name in problem.target.classes] == list(load_iris().target_names)


def test_the_two_wrong_rows_of_the_uci_file_are_mended(
    problem: Problem, flowers: Table, lines: list[str], tmp_path: Path
) -> None:
    for row, wrong in WRONG.items():
        lines[row - 1] = wrong
    # The published file ends with a blank line.
    found = loaded(problem, tmp_path, [*lines, "", ""])
    np.testing.assert_array_equal(found.X, flowers.X)
    np.testing.assert_array_equal(found.y, flowers.y)


def test_the_wrong_values_are_mended_in_their_own_rows_only(problem: Problem, lines: list[str], tmp_path: Path) -> None:
    # Row 10 of Fisher's data is 4.9,3.1,1.5,0.1 rightly.
    assert lines[9] == WRONG[35]
    assert loaded(problem, tmp_path, lines).X[9].tolist() == [4.9, 3.1, 1.5, 0.1]


def test_other_values_in_those_rows_are_left_alone(problem: Problem, lines: list[str], tmp_path: Path) -> None:
    for row in ERRATA:
        lines[row - 1] = "5.0,3.0,1.0,0.5,Iris-setosa"
    assert loaded(problem, tmp_path, lines).X[[34, 37]].tolist() == [[5.0, 3.0, 1.0, 0.5]] * 2


def test_a_file_with_fewer_rows_is_read(problem: Problem, lines: list[str], tmp_path: Path) -> None:
    assert len(loaded(problem, tmp_path, lines[:36]).y) == 36


def test_a_bad_file_is_refused(problem: Problem, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"iris\.data, row 1, column petal_width: missing"):
        loaded(problem, tmp_path, ["5.1,3.5,1.4"])


def test_every_feature_has_a_unit_and_an_example_within_its_range(problem: Problem, flowers: Table) -> None:
    for feature, column in zip(problem.features, flowers.X.T, strict=True):
        assert isinstance(feature, Number)
        assert feature.unit == "cm"
        assert feature.minimum <= column.min() <= column.max() <= feature.maximum
        assert feature.minimum <= feature.example <= feature.maximum


def test_the_grid_is_that_of_the_lab(problem: Problem) -> None:
    found = [(c.params["hidden_layers"], c.params["epochs"]) for c in problem.candidates()]
    assert len(found) == 15
    assert set(found) == {(layers, epochs) for layers in (2, 3, 4) for epochs in (100, 250, 500, 750, 1000)}


def test_each_candidate_fits_as_its_parameters_say(problem: Problem, flowers: Table) -> None:
    some = Table(flowers.X[::5], flowers.y[::5])
    for candidate in problem.candidates():
        model = candidate.fit(some.X, some.y)
        assert isinstance(model, MLPClassifier)
        assert model.hidden_layer_sizes == (10,) * int(candidate.params["hidden_layers"])
        assert model.max_iter == candidate.params["epochs"]


def test_fitting_twice_gives_the_same_model(problem: Problem, flowers: Table, fitted: MLPClassifier) -> None:
    # Warnings are errors in these tests.
    again: MLPClassifier = problem.candidates()[0].fit(flowers.X, flowers.y)
    assert again.n_iter_ == 100
    for one, other in zip(coefficients(fitted), coefficients(again), strict=True):
        np.testing.assert_array_equal(one, other)


def test_continuing_leaves_the_given_model_as_it_was(flowers: Table, fitted: MLPClassifier) -> None:
    before, parameters, epochs = deepcopy(coefficients(fitted)), fitted.get_params(), fitted.n_iter_
    tuned = continue_training(fitted, flowers, correction(1))
    assert tuned is not fitted
    assert (fitted.get_params(), fitted.n_iter_) == (parameters, epochs)
    for then, now in zip(before, coefficients(fitted), strict=True):
        np.testing.assert_array_equal(then, now)


def test_continuing_really_steps_at_the_lower_rate(flowers: Table, fitted: MLPClassifier) -> None:
    """Setting a parameter is not enough: the optimiser keeps the rate that it began with in some ways of going on."""

    def step(rate: float) -> float:
        other = deepcopy(fitted).set_params(warm_start=True, max_iter=5, learning_rate_init=rate)
        with pytest.warns(match="Maximum iterations"):
            other.fit(flowers.X, flowers.y)
        return float(np.abs(other.coefs_[0] - fitted.coefs_[0]).mean())

    nothing = Table(np.empty((0, 4)), np.empty(0, dtype=np.int64))
    tuned = continue_training(fitted, flowers, nothing)
    assert isinstance(tuned, MLPClassifier)
    moved = float(np.abs(tuned.coefs_[0] - fitted.coefs_[0]).mean())
    assert moved == pytest.approx(step(0.0001), rel=0.2)
    assert moved < step(0.001) / 5


def test_continuing_takes_five_epochs_at_a_tenth_of_the_rate_in_which_corrections_weigh_more(
    flowers: Table, fitted: MLPClassifier
) -> None:
    corrections = correction(1, times=30)
    X, y = np.concatenate([flowers.X, corrections.X]), np.concatenate([flowers.y, corrections.y])
    expected = deepcopy(fitted).set_params(warm_start=True, max_iter=5, learning_rate_init=0.0001, batch_size=180)
    with pytest.warns(match="Maximum iterations"):
        expected.fit(X, y, sample_weight=np.array([0.7] * 150 + [1.0] * 30))
    tuned = continue_training(fitted, flowers, corrections)
    assert isinstance(tuned, MLPClassifier)
    assert tuned.learning_rate_init == pytest.approx(fitted.learning_rate_init / 10) == pytest.approx(0.0001)
    assert (tuned.n_iter_, tuned.t_ - fitted.t_) == (5, 5 * (150 + 30))  # epochs, rows seen
    for mine, theirs in zip(coefficients(tuned), coefficients(expected), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_continuing_twice_learns_more(flowers: Table, fitted: MLPClassifier) -> None:
    added = correction(0, times=30)
    once = continue_training(fitted, flowers, added)
    twice = continue_training(once, flowers, added)
    shares = [model.predict_proba(added.X[:1])[0, 0] for model in (fitted, once, twice)]
    assert shares == sorted(shares)
    assert shares[0] < shares[2]


@pytest.mark.parametrize("corrections", [50, 51, 60, 250, 251])
def test_no_batch_of_a_refit_is_a_rest_of_a_few_rows(flowers: Table, fitted: MLPClassifier, corrections: int) -> None:
    refitted: MLPClassifier = refit(fitted, flowers, correction(1, times=corrections))
    size = refitted.batch_size
    assert size <= 200
    assert 0 <= -(150 + corrections) % size < size / 10

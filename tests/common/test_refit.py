"""The default refit: a clone of any scikit-learn model or pipeline, fitted anew with weights."""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from common.problem import Table
from common.refit import refit

RNG = np.random.default_rng(3)
ORIGINAL = Table(RNG.normal(size=(60, 2)), np.arange(60, dtype=np.int64) % 2)
CORRECTIONS = Table(RNG.normal(size=(4, 2)), np.array([1, 1, 0, 0], dtype=np.int64))
WEIGHTS = np.array([0.7] * 60 + [1.0] * 4)
X, Y = np.concatenate([ORIGINAL.X, CORRECTIONS.X]), np.concatenate([ORIGINAL.y, CORRECTIONS.y])


def test_original_rows_weigh_less_than_corrections() -> None:
    tuned = refit(LogisticRegression().fit(ORIGINAL.X, ORIGINAL.y), ORIGINAL, CORRECTIONS)
    expected = LogisticRegression().fit(X, Y, sample_weight=WEIGHTS)
    np.testing.assert_array_equal(tuned.coef_, expected.coef_)  # type: ignore[attr-defined]


def test_the_weights_of_a_pipeline_go_to_its_last_step() -> None:
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    tuned = refit(pipeline.fit(ORIGINAL.X, ORIGINAL.y), ORIGINAL, CORRECTIONS)
    expected = LogisticRegression().fit(StandardScaler().fit_transform(X), Y, sample_weight=WEIGHTS)
    np.testing.assert_allclose(tuned[-1].coef_, expected.coef_)  # type: ignore[index]


@pytest.mark.parametrize("piped", [False, True])
def test_a_model_that_takes_no_weights_learns_without_them(*, piped: bool) -> None:
    model = KNeighborsClassifier(1)
    tuned = refit((make_pipeline(model) if piped else model).fit(ORIGINAL.X, ORIGINAL.y), ORIGINAL, CORRECTIONS)
    np.testing.assert_array_equal(tuned.predict(X), Y)


def test_the_given_model_stays_as_it_was_and_its_parameters_hold() -> None:
    model = LogisticRegression(C=0.3).fit(ORIGINAL.X, ORIGINAL.y)
    before = model.coef_.copy()
    tuned = refit(model, ORIGINAL, CORRECTIONS)
    np.testing.assert_array_equal(model.coef_, before)
    assert tuned.get_params() == model.get_params()  # type: ignore[attr-defined]
    assert not np.array_equal(tuned.coef_, before)  # type: ignore[attr-defined]


def test_a_fit_that_ends_after_its_epochs_warns_nobody() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPClassifier((3,), max_iter=5, random_state=0).fit(ORIGINAL.X, ORIGINAL.y)
    tuned = refit(model, ORIGINAL, CORRECTIONS)  # pytest turns warnings into errors
    assert tuned.n_iter_ == 5  # type: ignore[attr-defined]

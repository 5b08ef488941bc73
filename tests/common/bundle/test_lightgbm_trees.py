"""LightGBM's trees in single precision: they part float32 numbers exactly as they did before."""

import re
from dataclasses import replace

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from skl2onnx import to_onnx
from sklearn.pipeline import Pipeline

from common.bundle import lightgbm_trees as trees
from common.bundle.export import OPSET, export_onnx
from common.bundle.model import OnnxModel
from common.problem import Floats, Ints, Problem, Table, Target
from tests.common.bundle.graphs import answer_of, assert_same

Fitted = tuple[LGBMClassifier, Floats]


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    """Trees that part numbers between which there is no other float32, in both directions from zero."""
    near = np.float32(1) + np.arange(64, dtype=np.float32) * np.finfo(np.float32).eps
    column = np.concatenate([near, -near, near * np.float32(1000)])
    X = np.stack([column, np.roll(column, 7)], axis=1)
    return fit(X, np.arange(len(X)) // 3 % 2), X


def fit(X: Floats, y: Ints) -> LGBMClassifier:
    model = LGBMClassifier(n_estimators=10, min_child_samples=1, min_data_in_bin=1, num_leaves=63, verbose=-1, n_jobs=1)
    return model.fit(X, y)


def thresholds(model: LGBMClassifier) -> Floats:
    lines = re.findall(r"^threshold=(.*)$", model.booster_.model_to_string(), re.MULTILINE)
    return np.array([float(value) for line in lines for value in line.split()])


def at_and_beside(model: LGBMClassifier) -> Floats:
    """Return rows of the float32 numbers at, just below and just above every threshold."""
    exact = thresholds(model).astype(np.float32)
    exact = exact[np.abs(exact) > 1e-30]  # LightGBM treats numbers nearer to zero as zero
    column = np.concatenate([np.nextafter(exact, np.float32(side)) for side in (-np.inf, np.inf)] + [exact])
    return np.stack([column, np.random.default_rng(0).permutation(column)], axis=1)


def exported(model: LGBMClassifier) -> OnnxModel:
    trees.convertible(model)  # registers the converter
    graph = to_onnx(
        model, np.zeros((1, 2), dtype=np.float32), options={id(model): {"zipmap": False}}, target_opset=OPSET
    )
    return OnnxModel(graph.SerializeToString(), ["no", "yes"])


def test_thresholds_become_the_largest_single_that_is_not_above(fitted: Fitted) -> None:
    model, _ = fitted
    before, after = thresholds(model), thresholds(trees.in_single_precision(model))
    np.testing.assert_array_equal(after, after.astype(np.float32))
    assert (after <= before).all()
    assert (np.nextafter(after.astype(np.float32), np.float32(np.inf)).astype(np.float64) > before).all()
    assert (after != before).any()


@pytest.mark.parametrize(
    ("value", "single"),
    [
        (0.5, 0.5),
        (-0.5, -0.5),
        (0.1, 0.09999999403953552),
        (-0.1, -0.10000000149011612),
        (1 + 2**-24, 1.0),
        (1 + 3 * 2**-24, 1 + 2**-23),
    ],
)
def test_a_threshold_is_rounded_down_and_not_to_the_nearest_single(value: float, single: float) -> None:
    assert float(trees._below(value)) == single


def test_rounded_trees_answer_the_same_on_single_numbers(fitted: Fitted) -> None:
    model, X = fitted
    rounded = trees.in_single_precision(model)
    for rows in (X, at_and_beside(model)):
        np.testing.assert_array_equal(rounded.predict_proba(rows), model.predict_proba(rows))


def test_the_given_trees_stay_as_they_were(fitted: Fitted) -> None:
    model, _ = fitted
    before = model.booster_.model_to_string()
    assert trees.in_single_precision(model).booster_.model_to_string() != before
    assert model.booster_.model_to_string() == before


def test_the_graph_says_the_same_at_every_threshold_and_beside_it(fitted: Fitted) -> None:
    model, X = fitted
    loaded = exported(trees.in_single_precision(model))
    for rows in (X, at_and_beside(model)):
        assert_same(loaded.predict(rows), answer_of(model, rows), atol=1e-5)


def test_a_bundle_is_made_of_rounded_trees(fitted: Fitted, problem: Problem) -> None:
    model, X = fitted
    two = replace(problem, features=problem.features[:2], target=Target("kind", ("no", "yes")))
    for classifier in (model, Pipeline([("trees", model)])):
        graph = export_onnx(classifier, two, Table(X, np.asarray(model.predict(X), dtype=np.int64)))
        found = OnnxModel(graph.SerializeToString()).predict(X).probabilities
        assert found is not None
        np.testing.assert_allclose(found, model.predict_proba(X), rtol=0, atol=1e-5)


def test_with_the_nearest_single_the_graph_would_say_something_else(
    fitted: Fitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, X = fitted
    monkeypatch.setattr(trees, "_below", lambda value: repr(float(np.float32(value))))
    probabilities = exported(trees.in_single_precision(model)).predict(X).probabilities
    assert probabilities is not None
    assert np.abs(probabilities - model.predict_proba(X)).max() > 0.1


def test_trees_that_have_nothing_to_part_by_are_left_as_they_are() -> None:
    X = np.ones((20, 2), dtype=np.float32)
    model = fit(X, np.arange(20) % 2)
    np.testing.assert_array_equal(trees.in_single_precision(model).predict_proba(X), model.predict_proba(X))

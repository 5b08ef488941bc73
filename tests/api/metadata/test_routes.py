"""The description of the model in the nine keys of the prediction-monitoring pattern."""

from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest

from api.metadata.routes import _metadata
from common.bundle.model import Answer
from common.problem import get_problem
from common.registry.client import Version


def test_one_row_is_described_in_the_keys_of_the_pattern(lone_api: httpx.Client) -> None:
    found = lone_api.get("/metadata").json()
    asked = lone_api.post("/predict", json={"data": found["data_sample"]}).json()["predictions"][0]
    assert (found["data_type"], found["data_structure"]) == ("float32", "(1,4)")
    assert (found["prediction_type"], found["prediction_structure"]) == ("float32", "(1,3)")
    assert found["prediction_sample"] == pytest.approx(list(asked["probabilities"].values()), abs=1e-6)
    assert (found["outlier_type"], found["outlier_structure"]) == ("bool, float32", "(1,2)")
    is_outlier, score = found["outlier_sample"]
    assert is_outlier is asked["is_outlier"]
    assert score == pytest.approx(asked["outlier_score"], abs=1e-6)


def served(answer: Answer, flags: Any) -> Any:
    """Return a version whose model gives this answer to every row."""
    model = SimpleNamespace(
        classes=("no", "yes"), as_rows=np.array, predict=lambda _: answer, is_outlier=lambda _: flags
    )
    return SimpleNamespace(model=model, version=Version("AnyModel", 1, "", {}))


def test_a_model_without_probabilities_and_scores_is_described_by_its_class_index() -> None:
    answer = Answer(np.array([1]), None, None)
    found = _metadata(get_problem("breast_cancer"), served(answer, None))
    assert (found.prediction_type, found.prediction_structure, found.prediction_sample) == ("int64", "(1,1)", [1])
    assert (found.outlier_type, found.outlier_structure, found.outlier_sample) == (None, None, None)
    assert found.data_structure == "(1,30)"


def test_texts_and_numbers_of_a_row_have_two_types() -> None:
    answer = Answer(np.array([0]), np.array([[0.75, 0.25]], np.float32), np.array([-1.0], np.float32))
    problem = get_problem("travel_insurance")
    found = _metadata(problem, served(answer, np.array([True])))
    assert set(found.data_type.split(", ")) == {"float32", "string"}
    assert found.data_structure == f"(1,{len(problem.features)})"
    assert {type(value) for value in found.data_sample[0]} == {float, str}
    assert (found.prediction_sample, found.outlier_sample) == ([0.75, 0.25], [True, -1.0])

"""Predictions over HTTP: right answers, one version an answer, clear errors."""

from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pytest

from common.bundle.model import OnnxModel
from common.problem import Problem, Table
from common.registry import publish
from common.registry.client import Version
from common.settings import Settings
from common.table import read_table
from tests.conftest import KEPT

SETOSA = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


@pytest.fixture
def test_rows(settings: Settings, problem: Problem) -> Table:
    return read_table(settings.data_dir / "test.csv", problem, indices=True)


def ask_one(api: httpx.Client, problem: Problem, row: list[float]) -> dict[str, Any]:
    answer: dict[str, Any] = api.post("/predict", json=dict(zip(problem.columns, row, strict=True))).json()
    return answer


def test_answers_equal_the_onnx_model_row_by_row(
    api: httpx.Client, settings: Settings, problem: Problem, test_rows: Table
) -> None:
    model = OnnxModel((settings.lab_home / "models/iris/model.onnx").read_bytes())
    expected = model.predict(test_rows.X.astype(np.float32))
    assert expected.probabilities is not None
    for row, label, shares in zip(test_rows.X, expected.labels, expected.probabilities, strict=True):
        answer = ask_one(api, problem, row.tolist())
        assert answer["class_name"] == problem.target.classes[label]
        np.testing.assert_allclose(list(answer["probabilities"].values()), shares, atol=1e-6)


def test_answers_equal_the_scikit_learn_model_row_by_row(
    api: httpx.Client, settings: Settings, problem: Problem, trained: Version, test_rows: Table
) -> None:
    publish.use_mlflow(settings.mlflow_uri, problem.sklearn_name)
    newest = publish.newest(problem.sklearn_name)
    assert newest is not None
    assert newest.number == int(trained.tags["sklearn_version"])
    model = publish.load_sklearn(problem, settings, newest)
    X = test_rows.X.astype(np.float32)
    batch = api.post("/predict", json={"data": test_rows.X.tolist()}).json()["predictions"]
    assert len(batch) == len(X)
    for answer, label, shares in zip(batch, model.predict(X), model.predict_proba(X), strict=True):
        assert answer["class_name"] == problem.target.classes[label]
        assert list(answer["probabilities"]) == list(problem.target.classes)
        np.testing.assert_allclose(list(answer["probabilities"].values()), shares, atol=1e-5)


def test_one_row_is_answered_with_its_class_its_probabilities_and_the_version(lone_api: httpx.Client) -> None:
    response = lone_api.post("/predict", json=SETOSA)
    assert response.status_code == 200
    answer = response.json()
    assert answer["class_name"] == "Iris-setosa"
    assert set(answer["probabilities"]) == {"Iris-setosa", "Iris-versicolor", "Iris-virginica"}
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert (answer["model_name"], answer["model_version"]) == ("IrisModel", KEPT)
    UUID(answer["prediction_id"])


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
@pytest.mark.parametrize("body", [SETOSA, {"data": [list(SETOSA.values())] * 3}], ids=["one row", "many rows"])
def test_an_answer_says_how_many_milliseconds_the_model_took(
    lone_api: httpx.Client, content_type: str, body: dict[str, Any]
) -> None:
    response = lone_api.post("/predict", json=body, headers={"content-type": content_type})
    name, _, milliseconds = response.headers["server-timing"].partition(";dur=")
    assert name == "model"
    assert 0 < float(milliseconds) < response.elapsed.total_seconds() * 1e3


def test_a_batch_is_answered_in_its_order_and_as_single_rows_are(lone_api: httpx.Client, problem: Problem) -> None:
    rows = [[6.3, 3.3, 6.0, 2.5], [5.1, 3.5, 1.4, 0.2], [5.7, 2.8, 4.1, 1.3], [5.1, 3.5, 1.4, 0.2]]
    batch = lone_api.post("/predict", json={"data": rows}).json()["predictions"]
    names = [answer["class_name"] for answer in batch]
    assert names == ["Iris-virginica", "Iris-setosa", "Iris-versicolor", "Iris-setosa"]
    for row, answer in zip(rows, batch, strict=True):
        assert ask_one(lone_api, problem, row)["probabilities"] == pytest.approx(answer["probabilities"], abs=1e-6)


def test_whole_numbers_and_limits_are_numbers(lone_api: httpx.Client) -> None:
    answer = lone_api.post("/predict", json={"data": [[5, 3, 1, 0], [0, 0, 0, 0], [30, 30, 30, 30]]})
    assert answer.status_code == 200
    assert len(answer.json()["predictions"]) == 3

"""Features that are called like something else, and a problem that has no numbers at all."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from api.http.errors import add_error_handlers
from api.schemas.requests import predict_body, row_reader, suggestion_model
from common.bundle.export import export_onnx
from common.bundle.model import OnnxModel
from common.bundle.outliers import outlier_scorer_for
from common.bundle.parity import check_parity
from common.problem import Category, Number, Problem, Table

NAMES = ("copy", "json", "model_config", "schema", "path", "query", "body", "one", "many")


@pytest.fixture(scope="module")
def awkward(problem: Problem) -> Problem:
    features = tuple(Number(name, "cm", "a length", 0.0, 9.0, example=float(i)) for i, name in enumerate(NAMES))
    return replace(problem, features=features)


@pytest.fixture
def client(awkward: Problem) -> TestClient:
    app = FastAPI()
    app.state.problem = awkward
    add_error_handlers(app)
    Body, Correction = predict_body(awkward), suggestion_model(awkward)
    features = row_reader(awkward)

    @app.post("/predict")
    def predict(body: Body) -> list[Any]:  # type: ignore[valid-type]
        return list(features(body))

    @app.post("/suggest")
    def suggest(body: Correction) -> list[Any]:  # type: ignore[valid-type]
        return list(features(body))

    return TestClient(app)


@pytest.fixture(scope="module")
def row() -> dict[str, float]:
    return {name: float(i) for i, name in enumerate(NAMES)}


def test_features_may_have_names_that_the_libraries_use(client: TestClient, row: dict[str, float]) -> None:
    assert client.post("/predict", json=row).json() == list(row.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_value_is_named_by_its_column_under_any_name(
    client: TestClient, row: dict[str, float], name: str
) -> None:
    for route, more in (("/predict", {}), ("/suggest", {"class_name": "setosa"})):
        problem = client.post(route, json=row | more | {name: "long"}).json()
        assert [error["field"] for error in problem["errors"]] == [name]


@pytest.mark.parametrize("body", ["[]", '"no row"', "3"])
def test_a_body_that_is_no_row_is_an_error_of_the_body(client: TestClient, body: str) -> None:
    answer = client.post("/predict", content=body, headers={"Content-Type": "application/json"})
    assert [error["field"] for error in answer.json()["errors"]] == ["body"]


def test_a_problem_of_names_alone_has_a_model_without_outlier_scores(problem: Problem) -> None:
    features = tuple(Category(name, "of the cap", ("a", "b"), example="a") for name in ("colour", "shape"))
    mushrooms = replace(problem, features=features)
    X = np.array([["a", "a"], ["a", "b"], ["b", "a"], ["b", "b"]] * 5, dtype=object)
    train = Table(X, np.array([0, 1, 2, 2] * 5))
    scorer = outlier_scorer_for(mushrooms, train, train)
    assert scorer is None
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), DecisionTreeClassifier(random_state=0)).fit(
        train.X, train.y
    )
    graph = export_onnx(model, mushrooms, train, scorer)
    check_parity(OnnxModel(graph.SerializeToString()), model, train.X)
    answer = OnnxModel(graph.SerializeToString()).predict(train.X)
    assert answer.labels.tolist() == [0, 1, 2, 2] * 5
    assert answer.outlier_scores is None

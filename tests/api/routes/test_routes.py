"""The answers of the routes beside predictions, and their description for people and tools."""

from typing import Any

import httpx
import pytest

from common.problem import Problem
from tests.api.fastpath.test_routes import count
from tests.conftest import KEPT

CLASSES = ["Iris-setosa", "Iris-versicolor", "Iris-virginica"]


def test_a_sample_prediction_can_be_had_without_a_body(lone_api: httpx.Client, problem: Problem) -> None:
    sample = lone_api.get("/predict/test").json()
    example = {feature.name: feature.example for feature in problem.features}
    asked = lone_api.post("/predict", json=example).json()
    assert set(sample) == set(asked)
    assert sample["class_name"] == asked["class_name"]
    assert sample["probabilities"] == pytest.approx(asked["probabilities"])


def test_every_get_can_be_asked_for_its_head_alone(lone_api: httpx.Client) -> None:
    described = lone_api.get("/openapi.json").json()["paths"]
    gets = [path for path, operations in described.items() if "get" in operations]
    values = {"name": "IrisModel", "version": str(KEPT), "suggestion_id": "1", "prediction_id": "1"}
    values["correction_id"] = "1"
    for path in [*gets, "/", "/docs", "/openapi.json", "/nowhere"]:
        head, get = (lone_api.request(method, path.format(**values)) for method in ("HEAD", "GET"))
        assert (head.status_code, head.headers.get("content-type")) == (
            get.status_code,
            get.headers.get("content-type"),
        )
        assert head.content == b""
    assert len(gets) > 10
    assert lone_api.head("/predict").status_code == 405
    assert count(lone_api, "http_requests_total", method="HEAD", handler="/livez", status="2xx") > 0


def test_the_root_leads_to_the_documentation(lone_api: httpx.Client) -> None:
    response = lone_api.get("/")
    assert (response.status_code, response.headers["location"]) == (307, "/docs")
    assert "swagger" in lone_api.get("/", follow_redirects=True).raise_for_status().text.lower()


def test_labels_are_class_names_by_index(lone_api: httpx.Client) -> None:
    assert lone_api.get("/label").json() == dict(zip("012", CLASSES, strict=True))


@pytest.mark.parametrize("path", ["/health", "/livez", "/readyz"])
def test_a_service_with_a_model_is_well(lone_api: httpx.Client, path: str) -> None:
    response = lone_api.get(path)
    assert response.status_code == 200
    assert response.json() == {"health": "ok"}


def test_metadata_describe_input_and_output(lone_api: httpx.Client, problem: Problem) -> None:
    metadata = lone_api.get("/metadata").json()
    assert (metadata["model_name"], metadata["model_version"]) == ("IrisModel", KEPT)
    (given,) = metadata["inputs"]
    assert (given["name"], given["dtype"], given["shape"]) == ("input", "float32", [None, 4])
    assert [column["name"] for column in given["columns"]] == list(problem.columns)
    assert {column["unit"] for column in given["columns"]} == {"cm"}
    label, probabilities, score = metadata["outputs"]
    assert (label["name"], label["dtype"], label["shape"]) == ("label", "int64", [None])
    assert (probabilities["name"], probabilities["dtype"], probabilities["shape"]) == (
        "probabilities",
        "float32",
        [None, 3],
    )
    assert [column["name"] for column in probabilities["columns"]] == CLASSES
    assert (score["name"], score["dtype"], score["shape"]) == ("outlier_score", "float32", [None])


def test_the_samples_of_the_metadata_belong_together(lone_api: httpx.Client) -> None:
    metadata = lone_api.get("/metadata").json()
    asked = lone_api.post("/predict", json={"data": metadata["inputs"][0]["sample"]}).json()["predictions"]
    label, probabilities, score = (output["sample"] for output in metadata["outputs"])
    assert [CLASSES[index] for index in label] == [answer["class_name"] for answer in asked]
    assert probabilities[0] == pytest.approx(list(asked[0]["probabilities"].values()), abs=1e-6)
    assert score[0] == pytest.approx(asked[0]["outlier_score"], abs=1e-6)


def test_without_a_model_the_process_lives(modelless: httpx.Client) -> None:
    assert modelless.get("/livez").json() == {"health": "ok"}
    assert modelless.get("/health").json() == {"health": "ok"}
    assert modelless.get("/metrics").status_code == 200


@pytest.mark.parametrize("path", ["/readyz", "/predict/test", "/label", "/metadata"])
def test_without_a_model_a_problem_names_the_command_to_run(modelless: httpx.Client, path: str) -> None:
    check_names_the_command(modelless.get(path))


@pytest.mark.parametrize("path", ["/predict", "/suggest"])
@pytest.mark.parametrize("body", [{}, {"data": [[5.1, 3.5, 1.4, 0.2]]}, []])
def test_without_a_model_no_body_helps(modelless: httpx.Client, path: str, body: Any) -> None:
    check_names_the_command(modelless.post(path, json=body))


def check_names_the_command(response: httpx.Response) -> None:
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert "python main.py" in response.json()["detail"]

"""Requests for the same rows in each server's protocol; an answer with other classes than the model's is an error."""

import json
from dataclasses import replace

import httpx
import numpy as np
import pytest

from benchmarks.harness.contestants import make_model
from benchmarks.harness.questions import HEADER_LENGTH, Asked, WrongAnswerError, open_classes
from benchmarks.headline import tutorial_service
from common.bundle.model import OnnxModel
from common.problem import Problem
from common.settings import Settings
from tests.conftest import served


@pytest.fixture(scope="session")
def asked(problem: Problem, bundle: bytes) -> Asked:
    X = np.array([[5.1, 3.5, 1.4, 0.2], [6.1, 2.8, 4.7, 1.2], [6.9, 3.1, 5.4, 2.1]], dtype=np.float32)
    return Asked(problem, X, OnnxModel(bundle).predict(X).labels.tolist())


def test_the_api_answers_one_row_and_many_with_the_models_classes(asked: Asked, lone_api: httpx.Client) -> None:
    assert sorted(asked.labels) == [0, 1, 2]
    first = replace(asked, X=asked.X[:1], labels=asked.labels[:1])
    assert first.fields().answered(lone_api)
    assert asked.data().answered(lone_api)


def test_another_class_than_the_models_is_an_error_with_both(asked: Asked, lone_api: httpx.Client) -> None:
    wrong = replace(asked, labels=[0, 1, 1])
    with pytest.raises(WrongAnswerError, match=r"answers \[0, 1, 2\], and the model \[0, 1, 1\]"):
        wrong.data().answered(lone_api)


def test_a_server_that_has_no_model_yet_has_not_answered(asked: Asked, lone_api: httpx.Client) -> None:
    assert not asked.rows().answered(lone_api)


def test_the_tutorials_service_answers_the_same(
    offline: Settings, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model(problem, offline)
    monkeypatch.setenv("MODEL_FILE", str(model.joblib))
    with served(tutorial_service.from_file()) as client:
        assert model.one.fields().answered(client)
        assert model.many.flowers().answered(client)


def test_a_binary_request_is_a_header_of_json_and_the_numbers(asked: Asked) -> None:
    post = asked.open_binary().post
    length = int(post.headers[HEADER_LENGTH])
    head = json.loads(post.body[:length])
    assert head["inputs"][0]["shape"] == [3, 4]
    assert head["inputs"][0]["parameters"]["binary_data_size"] == len(post.body) - length
    assert np.array_equal(np.frombuffer(post.body[length:], "<f4").reshape(3, 4), asked.X)


def test_a_json_request_holds_the_same_numbers_flat(asked: Asked) -> None:
    [tensor] = json.loads(asked.open_json().post.body)["inputs"]
    assert tensor["shape"] == [3, 4]
    assert np.array_equal(np.array(tensor["data"], dtype=np.float32), asked.X.ravel())


def test_labels_are_read_from_json_and_from_binary_answers() -> None:
    label = {"name": "label", "shape": [2], "datatype": "INT64"}
    score = {"name": "outlier_score", "shape": [2], "datatype": "FP32"}
    plain = {"outputs": [{**score, "data": [0.1, 0.2], "parameters": None}, {**label, "data": [2, 1]}]}
    assert open_classes(httpx.Response(200, json=plain)) == [2, 1]
    outputs = [{**score, "parameters": {"binary_data_size": 8}}, {**label, "parameters": {"binary_data_size": 16}}]
    head = json.dumps({"outputs": outputs}).encode()
    content = head + np.array([0.1, 0.2], "<f4").tobytes() + np.array([2, 1], "<i8").tobytes()
    assert open_classes(httpx.Response(200, content=content, headers={HEADER_LENGTH: str(len(head))})) == [2, 1]
    with pytest.raises(KeyError, match="label"):
        open_classes(httpx.Response(200, json={"outputs": []}))

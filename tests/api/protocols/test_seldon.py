"""Clients that were written for Seldon Core's protocol run unchanged."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import requests

from common.settings import Settings
from common.store import Store
from common.table import read_table
from scripts.parts import wait_for
from tests.api.challenger.test_shadow import ALWAYS_VIRGINICA, keep_challenger, labels_of, live
from tests.api.inference.test_prediction_log import CLASSES, SETOSA_ROW, by_hand, counted, logged, store_of, told
from tests.api.live_statistics.test_routes import statistics_of
from tests.api.metrics.test_declared import predicted
from tests.api.routes.test_bad_requests import check_problem
from tests.api.routes.test_feedback import cells
from tests.conftest import IRIS, KEPT, keep_copy, running_api

FEATURES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
BASES = [
    "/api/v1.0",
    "/seldon/models/iris/api/v1.0",
    "/seldon/some-namespace/another.deployment/api/v1.0",
    "/seldon/without-namespace/api/v1.0",
    "/api/v0.1",
    "/seldon/models/iris/api/v0.1",
    "/seldon/without-namespace/api/v0.1",
]
ROW_OF_VIRGINICA = [6.3, 3.3, 6.0, 2.5]


@pytest.fixture
def api(with_copy: Settings) -> Iterator[httpx.Client]:
    with running_api(with_copy) as client:
        yield client


def feedback(truth: Any, *rows: list[float]) -> dict[str, Any]:
    return {"request": {"data": {"ndarray": list(rows) or [SETOSA_ROW]}}, "truth": {"data": {"ndarray": truth}}}


def judge(api: httpx.Client, truth: Any, *rows: list[float]) -> httpx.Response:
    return api.post("/api/v1.0/feedback", json=feedback(truth, *rows))


def ask_seldon(url: str, row: list[float]) -> dict[str, Any]:
    """Predict as clients of Seldon do; return the answer."""
    body = {"data": {"names": FEATURES, "ndarray": [row]}, "meta": {"tags": {"client": "lab"}}}
    response = requests.post(f"{url}/predictions", json=body, timeout=10)
    response.raise_for_status()
    answer: dict[str, Any] = response.json()
    return answer


def tell_seldon(url: str, row: list[float], answer: dict[str, Any], label: int) -> None:
    """Send feedback as clients of Seldon do: with the request and the response that it is about, and a reward."""
    shares = answer["data"]["ndarray"][0]
    body = {
        "request": {"data": {"names": FEATURES, "ndarray": [row]}, "meta": answer["meta"]},
        "response": answer,
        "reward": float(shares.index(max(shares)) == label),
        "truth": {"data": {"names": ["class"], "ndarray": [[label]]}},
    }
    requests.post(f"{url}/feedback", json=body, timeout=10).raise_for_status()


@pytest.mark.parametrize("base", BASES[:2])
def test_the_loop_of_a_seldon_client_runs_and_its_truths_are_counted(
    api: httpx.Client, with_copy: Settings, base: str
) -> None:
    table = read_table(with_copy.data_dir / "train.csv", IRIS, indices=True)
    rows, labels = table.X[:100].tolist(), table.y[:100].tolist()
    url = f"{str(api.base_url).rstrip('/')}{base}"
    answers = []
    for row, label in zip(rows, labels, strict=True):
        answers.append(ask_seldon(url, row))
        tell_seldon(url, row, answers[-1], label)
    assert {tuple(answer["data"]["names"]) for answer in answers} == {CLASSES}
    expected = api.post("/predict", json={"data": rows}).json()["predictions"]
    for answer, own in zip(answers, expected, strict=True):
        assert answer["data"]["ndarray"][0] == pytest.approx(list(own["probabilities"].values()), abs=1e-6)
    found = wait_for("300 rows", lambda: (of := statistics_of(api)["champion"])["predictions"] == 300 and of)
    guesses = [CLASSES.index(own["class_name"]) for own in expected]
    pairs = list(zip(labels, guesses, strict=True))
    assert found["labels"] == 100
    assert found["confusion"] == [[pairs.count((truth, guess)) for guess in range(3)] for truth in range(3)]


def test_an_answer_names_the_version_and_the_ids_under_which_it_is_logged(api: httpx.Client, store: Store) -> None:
    body = {"data": {"ndarray": [SETOSA_ROW, [6.3, 3.3, 6.0, 2.5]]}}
    answer = api.post("/api/v1.0/predictions", json=body).json()
    ids = answer["meta"]["tags"]["prediction_ids"]
    assert answer["meta"] == {
        "puid": ids[0],
        "requestPath": {"IrisModel": str(KEPT)},
        "tags": {"prediction_ids": ids, "class_names": ["Iris-setosa", "Iris-virginica"]},
    }
    rows = wait_for("the rows", lambda: logged(store))
    assert [row["id"] for row in rows] == ids
    assert [list(row["probabilities"].values()) for row in rows] == answer["data"]["ndarray"]
    assert api.post("/feedback", json={"prediction_id": ids[1], "class_name": "Iris-setosa"}).status_code == 200
    assert cells(store) == {("Iris-setosa", "Iris-virginica"): 1}


@pytest.mark.parametrize("base", BASES)
def test_every_deployment_is_this_one(api: httpx.Client, base: str) -> None:
    assert api.post(f"{base}/predictions", json={"data": {"ndarray": [SETOSA_ROW]}}).status_code == 200
    assert api.post(f"{base}/feedback", json=feedback([0])).status_code == 200
    check_problem(api.post(f"{base}/feedback", json=feedback([7])), 422)


@pytest.mark.parametrize(
    "form",
    [
        lambda index: index,
        lambda index: [index],
        float,
        lambda index: [float(index)],
        lambda index: CLASSES[index],
        lambda index: [CLASSES[index]],
        lambda index: [int(index == place) for place in range(3)],
        lambda index: [float(index == place) for place in range(3)],
    ],
    ids=["index", "[index]", "float", "[float]", "name", "[name]", "one-hot", "one-hot of floats"],
)
def test_a_truth_may_be_said_in_every_form(api: httpx.Client, store: Store, form: Callable[[int], Any]) -> None:
    answer = judge(api, [form(index) for index in (2, 0, 1)], *[SETOSA_ROW] * 3)
    assert answer.status_code == 200
    assert cells(store) == {(name, "Iris-setosa"): 1 for name in CLASSES}
    in_order = [told(store)[row["id"]] for row in logged(store)]
    assert in_order == ["Iris-virginica", "Iris-setosa", "Iris-versicolor"]


@pytest.mark.parametrize(
    "truth",
    [
        *(3, -1, [3], 0.5, "Iris-unknown", "", "0"),
        *([0, 0, 0], [1, 1, 0], [0.2, 0.3, 0.5], [1, 0], [0, 0, 0, 1], [], ["a", 1]),
    ],
)
def test_a_truth_that_is_no_class_is_refused_by_its_place_and_nothing_is_kept(
    api: httpx.Client, store: Store, truth: Any
) -> None:
    refused = judge(api, [0, truth], SETOSA_ROW, SETOSA_ROW)
    check_problem(refused, 422)
    assert refused.json()["errors"][0]["field"] == "truth.data.ndarray.1"
    assert logged(store) == []
    assert told(store) == {}


@pytest.mark.parametrize("truth", [True, False, [True], [False, False, True], None, {}])
def test_a_truth_of_another_type_is_refused(api: httpx.Client, store: Store, truth: Any) -> None:
    refused = judge(api, [0, truth], SETOSA_ROW, SETOSA_ROW)
    check_problem(refused, 422)
    assert refused.json()["errors"][0]["field"].startswith("truth.data.ndarray")
    assert logged(store) == []


@pytest.mark.parametrize("truths", [[0], [0, 0, 0]])
def test_as_many_truths_as_rows_are_wanted(api: httpx.Client, store: Store, truths: list[int]) -> None:
    refused = judge(api, truths, SETOSA_ROW, SETOSA_ROW)
    check_problem(refused, 422)
    assert refused.json()["detail"] == f"truth.data.ndarray: {len(truths)} truths for 2 rows"
    assert logged(store) == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"data": {"ndarray": [[5.1, 3.5, 1.4]]}}, "data.ndarray"),
        ({"data": {"ndarray": [[5.1, 3.5, 1.4, -1]]}}, "data.ndarray[0].petal_width"),
        ({"data": {"ndarray": [[5.1, 3.5, "x", 0.2]]}}, "data.ndarray[0].petal_length"),
        ({"data": {"ndarray": []}}, "data.ndarray"),
        ({"data": {"tensor": {"shape": [1, 3], "values": SETOSA_ROW[:3]}}}, "data.tensor.shape"),
        ({"data": {"tensor": {"shape": [4], "values": SETOSA_ROW}}}, "data.tensor.shape"),
        ({"data": {"tensor": {"shape": [2, 4], "values": SETOSA_ROW}}}, "data.tensor"),
        ({"data": {"tensor": {"shape": [2**40, 2**40], "values": SETOSA_ROW}}}, "data.tensor"),
        ({"data": {"tensor": {"shape": [0, 4], "values": SETOSA_ROW}}}, "data.tensor.shape.0"),
        ({"data": {"tensor": {"shape": [1, 2, 2], "values": SETOSA_ROW}}}, "data.tensor.shape"),
        ({"data": {"tensor": {"shape": [1, 4], "values": [5.1, 3.5, "x", 0.2]}}}, "data.tensor.values.2"),
        ({"data": {"tensor": {"shape": [2, 4], "values": [*SETOSA_ROW, 5.1, 3.5, 1.4, -1]}}}, "data.tensor.values[7]"),
        ({"data": {"tensor": {"values": SETOSA_ROW}}}, "data.tensor.shape"),
        ({"data": {"tensor": None}}, "data.tensor"),
        ({"data": {"tensor": {"shape": [1, 4], "values": SETOSA_ROW}, "ndarray": [SETOSA_ROW]}}, "data"),
        ({"data": {}}, "data"),
        ({"strData": "5.1"}, "data"),
        ({}, "data"),
    ],
)
def test_a_malformed_request_is_refused_by_the_name_of_its_field(
    lone_api: httpx.Client, body: dict[str, Any], field: str
) -> None:
    for path, sent, where in (
        ("predictions", body, field),
        ("feedback", {"request": body, "truth": {"data": {"ndarray": [[0]]}}}, f"request.{field}"),
    ):
        refused = lone_api.post(f"/api/v1.0/{path}", json=sent)
        check_problem(refused, 422)
        assert refused.json()["errors"][0]["field"].startswith(where)


def test_further_fields_of_seldon_are_tolerated(api: httpx.Client, store: Store) -> None:
    extras = {"meta": {"puid": "x", "metrics": [1]}, "reward": 0.5, "response": {"strData": "?"}, "anything": None}
    body = feedback([2])
    body["request"]["meta"] = {"tags": {}}
    body["request"]["data"]["names"] = ["a", "b"]
    body["truth"]["meta"] = {}
    assert api.post("/api/v1.0/feedback", json={**body, **extras}).status_code == 200
    assert cells(store) == {("Iris-virginica", "Iris-setosa"): 1}


def test_feedback_is_a_new_prediction_that_is_logged_but_counted_in_no_answer(api: httpx.Client, store: Store) -> None:
    before = predicted(api)
    answer = judge(api, [1]).json()
    (row,) = logged(store)
    assert row["id"] == answer["meta"]["puid"]
    assert answer["meta"]["requestPath"] == {"IrisModel": str(KEPT)}
    assert (row["role"], row["model_version"], row["class_name"]) == ("champion", KEPT, "Iris-setosa")
    assert told(store) == {row["id"]: "Iris-versicolor"}
    assert predicted(api) == before


def test_feedback_judges_the_challenger_too(with_copy: Settings) -> None:
    keep_challenger(with_copy, ALWAYS_VIRGINICA)
    with running_api(with_copy) as api:
        assert judge(api, [2, 0], SETOSA_ROW, SETOSA_ROW).status_code == 200
        wait_for("its rows", lambda: counted(api, "shadow_predictions_total") == 2)
    with store_of(with_copy) as store:
        truths = ("Iris-virginica", "Iris-setosa")
        assert labels_of(live(store)["champion"]) == {(truth, "Iris-setosa"): 1 for truth in truths}
        assert labels_of(live(store)["shadow"]) == {(truth, "Iris-virginica"): 1 for truth in truths}


def test_a_model_without_probabilities_answers_with_the_class(offline: Settings) -> None:
    keep_copy(offline, by_hand(2.5, 4.8))
    with running_api(offline) as api:
        body = {"data": {"ndarray": [SETOSA_ROW, [6.3, 3.3, 6.0, 2.5]]}}
        answer = api.post("/api/v1.0/predictions", json=body).json()
        assert answer["data"] == {"names": [], "ndarray": [0, 2]}
        assert judge(api, [[0]]).status_code == 200


def test_a_setting_lets_every_model_answer_with_the_class(with_copy: Settings) -> None:
    with running_api(with_copy.model_copy(update={"seldon_answers": "class"})) as api:
        answer = api.post("/api/v1.0/predictions", json={"data": {"ndarray": [SETOSA_ROW, ROW_OF_VIRGINICA]}}).json()
        assert answer["data"] == {"names": [], "ndarray": [0, 2]}
        assert api.post("/api/v1.0/predictions", json=as_tensor(SETOSA_ROW)).json()["data"] == {
            "names": [],
            "tensor": {"shape": [1], "values": [0.0]},
        }


def as_tensor(*rows: list[float]) -> dict[str, Any]:
    return {"data": {"tensor": {"shape": [len(rows), 4], "values": [value for row in rows for value in row]}}}


def test_a_tensor_is_answered_by_a_tensor_with_the_same_numbers(lone_api: httpx.Client) -> None:
    rows = [SETOSA_ROW, ROW_OF_VIRGINICA]
    listed, tensor = (
        lone_api.post("/api/v1.0/predictions", json=body).raise_for_status().json()["data"]
        for body in ({"data": {"ndarray": rows}}, as_tensor(*rows))
    )
    assert tensor == {
        "names": listed["names"],
        "tensor": {"shape": [2, 3], "values": [share for shares in listed["ndarray"] for share in shares]},
    }


@pytest.mark.parametrize(
    "truth",
    [
        {"shape": [3], "values": [2, 0, 1]},
        {"shape": [3, 1], "values": [2.0, 0.0, 1.0]},
        {"shape": [3, 3], "values": [0, 0, 1, 1, 0, 0, 0, 1, 0]},
    ],
    ids=["classes", "classes in a column", "one-hot"],
)
def test_feedback_may_be_tensors(api: httpx.Client, store: Store, truth: dict[str, Any]) -> None:
    body = {"request": as_tensor(*[SETOSA_ROW] * 3), "truth": {"data": {"tensor": truth}}}
    assert api.post("/api/v1.0/feedback", json=body).status_code == 200
    in_order = [told(store)[row["id"]] for row in logged(store)]
    assert in_order == ["Iris-virginica", "Iris-setosa", "Iris-versicolor"]
    assert logged(store)[0]["features"] == dict(zip(FEATURES, SETOSA_ROW, strict=True))


@pytest.mark.parametrize(
    ("truth", "field"),
    [
        ({"shape": [2], "values": [0, 3]}, "truth.data.tensor.1"),
        ({"shape": [3], "values": [0, 0, 0]}, "truth.data.tensor"),
        ({"shape": [2], "values": [0]}, "truth.data.tensor"),
        ({"shape": [2, 2], "values": [0, 1, 1, 0]}, "truth.data.tensor.0"),
    ],
)
def test_a_wrong_tensor_of_truths_is_refused_by_its_place(
    api: httpx.Client, store: Store, truth: dict[str, Any], field: str
) -> None:
    body = {"request": as_tensor(SETOSA_ROW, SETOSA_ROW), "truth": {"data": {"tensor": truth}}}
    refused = api.post("/api/v1.0/feedback", json=body)
    check_problem(refused, 422)
    assert refused.json()["errors"][0]["field"] == field
    assert logged(store) == []


def test_three_classes_have_no_counts_of_a_positive_one(lone_api: httpx.Client) -> None:
    answer = lone_api.post("/api/v1.0/predictions", json={"data": {"ndarray": [SETOSA_ROW]}}).json()
    assert "metrics" not in answer["meta"]


def test_without_a_model_there_is_no_answer(modelless: httpx.Client) -> None:
    check_problem(modelless.post("/api/v1.0/predictions", json={"data": {"ndarray": [SETOSA_ROW]}}), 503)
    check_problem(judge(modelless, [[0]]), 503)

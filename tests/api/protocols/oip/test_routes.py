"""The Open Inference Protocol v2 over HTTP: its routes, answers, refusals in its own words, and the log."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import numpy.typing as npt
import pytest

from api.challenger.metrics import ShadowMetrics
from api.challenger.shadow import Shadow
from api.inference.prediction_batch import PredictionBatch
from api.inference.predictor import Predictor
from api.metrics.declared import Metrics
from api.model.follower import ServedVersion
from common.bundle.model import OnnxModel
from common.problem import Problem
from common.registry.client import Version
from common.settings import Settings
from common.store import Store
from scripts.parts import wait_for
from tests.api.challenger.test_shadow import ALWAYS_VIRGINICA, CHALLENGER, keep_challenger, remembered
from tests.api.inference.test_prediction_log import CLASSES, SETOSA_ROW, by_hand, counted, logged
from tests.api.live_statistics.test_routes import statistics_of
from tests.api.metrics.test_declared import VIRGINICA, predicted
from tests.conftest import KEPT, running_api

ROWS = [SETOSA_ROW, VIRGINICA]
MODEL = "/v2/models/IrisModel"
BASES = [MODEL, f"{MODEL}/versions/{KEPT}"]
LENGTH = "Inference-Header-Content-Length"
OUTPUTS = ["label", "probabilities", "outlier_score", "class_name", "prediction_id"]


def tensor(data: Any = None, **changes: Any) -> dict[str, Any]:
    """Return iris' input with these data, or those of two rows."""
    values = data if data is not None else [value for row in ROWS for value in row]
    return {"name": "input", "shape": [len(values) // 4, 4], "datatype": "FP32", "data": values} | changes


def body(*inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"inputs": list(inputs) or [tensor()]} | more


def infer(api: httpx.Client, request: Any, base: str = MODEL) -> dict[str, Any]:
    answer: dict[str, Any] = api.post(f"{base}/infer", json=request).raise_for_status().json()
    return answer


def outputs(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the data of an answer by name."""
    return {output["name"]: output["data"] for output in answer["outputs"]}


def binary(request: dict[str, Any], *tensors: bytes) -> dict[str, Any]:
    """Return what a client sends whose tensors are behind the JSON."""
    head = json.dumps(request).encode()
    headers = {LENGTH: str(len(head)), "Content-Type": "application/octet-stream"}
    return {"content": b"".join([head, *tensors]), "headers": headers}


def binary_tensor(raw: bytes, **changes: Any) -> dict[str, Any]:
    given = {"name": "input", "shape": [2, 4], "datatype": "FP32", "parameters": {"binary_data_size": len(raw)}}
    return given | changes


def same(first: npt.ArrayLike, second: npt.ArrayLike) -> bool:
    """Return whether numbers are the same as FP32."""
    return np.array_equal(np.asarray(first, np.float32), np.asarray(second, np.float32))


def check_refused(response: httpx.Response, status: int, *words: str) -> None:
    assert response.status_code == status, response.text[:500]
    assert response.headers["content-type"] == "application/json"
    problem = response.json()
    assert list(problem) == ["error"]
    for word in words:
        assert word in problem["error"]


# Routes


@pytest.mark.parametrize("end", ["", "/"])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v2", {"name": "closed-loop-mlops-lab", "version": "0.1.0", "extensions": ["binary_tensor_data"]}),
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        *((f"{base}/ready", {"name": "IrisModel", "ready": True}) for base in BASES),
    ],
)
def test_a_service_with_a_model_is_well(lone_api: httpx.Client, path: str, end: str, expected: Any) -> None:
    response = lone_api.get(f"{path}{end}")
    assert (response.status_code, response.json()) == (200, expected)


@pytest.mark.parametrize("end", ["", "/"])
@pytest.mark.parametrize("base", BASES)
def test_a_model_is_described(lone_api: httpx.Client, base: str, end: str) -> None:
    assert lone_api.get(f"{base}{end}").json() == {
        "name": "IrisModel",
        "versions": [str(KEPT)],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, 4]}],
        "outputs": [
            {"name": "label", "datatype": "INT64", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
            {"name": "outlier_score", "datatype": "FP32", "shape": [-1]},
            {"name": "class_name", "datatype": "BYTES", "shape": [-1]},
            {"name": "prediction_id", "datatype": "BYTES", "shape": [-1]},
        ],
    }


@pytest.mark.parametrize("end", ["", "/"])
@pytest.mark.parametrize("base", BASES)
def test_rows_are_answered_as_predict_answers_them(lone_api: httpx.Client, base: str, end: str) -> None:
    response = lone_api.post(f"{base}/infer{end}", json=body(id="42"))
    assert response.status_code == 200
    answer = response.json()
    expected = lone_api.post("/predict", json={"data": ROWS}).json()["predictions"]
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("IrisModel", str(KEPT), "42")
    assert [(each["name"], each["datatype"], each["shape"]) for each in answer["outputs"]] == [
        ("label", "INT64", [2]),
        ("probabilities", "FP32", [2, 3]),
        ("outlier_score", "FP32", [2]),
        ("class_name", "BYTES", [2]),
        ("prediction_id", "BYTES", [2]),
    ]
    found = outputs(answer)
    assert found["class_name"] == [each["class_name"] for each in expected]
    assert [CLASSES[label] for label in found["label"]] == found["class_name"]
    shares = [share for each in expected for share in each["probabilities"].values()]
    assert same(found["probabilities"], shares)
    assert same(found["outlier_score"], [each["outlier_score"] for each in expected])
    assert [UUID(each).version for each in found["prediction_id"]] == [7, 7]


@pytest.mark.parametrize("path", ["/v2/nothing", "/v2/models", f"{MODEL}/unload", f"{MODEL}/versions", "/v2/health"])
def test_an_unknown_path_is_refused_in_the_protocols_form(lone_api: httpx.Client, path: str) -> None:
    check_refused(lone_api.get(path), 404)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", f"{MODEL}/infer"), ("POST", "/v2"), ("DELETE", f"{MODEL}/ready/")]
)
def test_a_wrong_method_is_refused_with_the_allowed_ones(lone_api: httpx.Client, method: str, path: str) -> None:
    response = lone_api.request(method, path)
    check_refused(response, 405)
    assert response.headers["allow"]


def test_only_paths_of_the_protocol_have_its_errors(lone_api: httpx.Client) -> None:
    assert lone_api.get("/v2x").headers["content-type"] == "application/problem+json"
    assert lone_api.get("/nowhere").headers["content-type"] == "application/problem+json"


# Requests


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/octet-stream"}, {"Content-Type": "text/plain"}])
def test_json_may_be_declared_as_anything(lone_api: httpx.Client, headers: dict[str, str]) -> None:
    for path in (f"{MODEL}/infer", f"{BASES[1]}/infer/"):
        assert lone_api.post(path, content=json.dumps(body()), headers=headers).status_code == 200


def test_data_may_be_flat_or_in_rows(lone_api: httpx.Client) -> None:
    wanted = [{"name": name} for name in OUTPUTS[:3]]
    flat, nested = (
        outputs(infer(lone_api, body(given, outputs=wanted))) for given in (tensor(), tensor(data=ROWS, shape=[2, 4]))
    )
    assert flat == nested


@pytest.mark.parametrize(
    "more",
    [
        {"id": None, "parameters": None, "outputs": None},
        {"outputs": []},
        {"parameters": {"priority": 1, "timeout": 5, "binary_data_output": None, "content_type": "np"}},
        {"model_name": "IrisModel", "model_version": None, "something": {"else": []}},
    ],
)
def test_further_fields_are_tolerated(lone_api: httpx.Client, more: dict[str, Any]) -> None:
    given = tensor(parameters={"content_type": "np", "headers": None}, something=1)
    answer = infer(lone_api, body(given, **more))
    assert "id" not in answer
    assert list(outputs(answer)) == OUTPUTS


@pytest.mark.parametrize("request_id", ["", "42", "ä\u2028\x00", "x" * 10_000])
def test_the_id_is_repeated(lone_api: httpx.Client, request_id: str) -> None:
    assert infer(lone_api, body(id=request_id))["id"] == request_id


def test_outputs_can_be_chosen_and_come_in_that_order(lone_api: httpx.Client) -> None:
    answer = infer(lone_api, body(outputs=[{"name": "class_name"}, {"name": "label", "parameters": None}]))
    assert outputs(answer) == {"class_name": ["Iris-setosa", "Iris-virginica"], "label": [0, 2]}


@pytest.mark.parametrize(
    ("datatype", "kind"),
    [
        *(("FP32", "<f4"), ("FP64", "<f8"), ("INT8", "i1"), ("INT16", "<i2"), ("INT32", "<i4"), ("INT64", "<i8")),
        *(("UINT8", "u1"), ("UINT16", "<u2"), ("UINT32", "<u4"), ("UINT64", "<u8")),
    ],
)
def test_numbers_of_every_datatype_are_answered_alike_in_json_and_in_binary(
    lone_api: httpx.Client, datatype: str, kind: str
) -> None:
    values = np.array([[5, 3, 1, 0], [6, 3, 6, 2]], kind)
    raw = values.tobytes()
    wanted = [{"name": name} for name in OUTPUTS[:3]]
    sent = binary(body(binary_tensor(raw, datatype=datatype), outputs=wanted), raw)
    in_binary = lone_api.post(f"{MODEL}/infer", **sent).raise_for_status().json()
    in_json = infer(lone_api, body(tensor(values.ravel().tolist(), datatype=datatype), outputs=wanted))
    assert in_binary["outputs"] == in_json["outputs"]
    assert outputs(in_json)["label"] == [0, 2]


# Refusals

REFUSED: dict[str, tuple[Any, list[str]]] = {
    "no object": ([], ["body"]),
    "no inputs": ({}, ["inputs"]),
    "null for inputs": ({"inputs": None}, ["inputs"]),
    "an empty list of inputs": ({"inputs": []}, ["inputs", "'input'", "missing"]),
    "an input that is none": ({"inputs": [7]}, ["inputs[0]"]),
    "another name": (body(tensor(name="x")), ["inputs[0].name", "'x'", "input"]),
    "an input twice": (body(tensor(), tensor()), ["inputs[1].name", "twice"]),
    "a number for the id": (body(id=42), ["id"]),
    "a list for the parameters": (body(parameters=[]), ["parameters"]),
    "a text for a flag": (body(parameters={"binary_data_output": "true"}), ["parameters.binary_data_output"]),
    "an unknown output": (body(outputs=[{"name": "label"}, {"name": "x"}]), ["outputs[1].name", "'x'", "label"]),
    "an output without a name": (body(outputs=[{}]), ["outputs[0].name"]),
    "a classification": (
        body(outputs=[{"name": "probabilities", "parameters": {"classification": 2}}]),
        ["outputs[0].parameters", "class_name"],
    ),
    "an unknown datatype": (body(tensor(datatype="FP8")), ["inputs[0].datatype", "'FP8'", "FP32"]),
    "a datatype in small letters": (body(tensor(datatype="fp32")), ["inputs[0].datatype"]),
    "booleans": (body(tensor(datatype="BOOL")), ["inputs[0].datatype"]),
    "texts": (body(tensor(datatype="BYTES")), ["inputs[0].datatype"]),
    "no shape": ({"inputs": [{"name": "input", "datatype": "FP32", "data": [1]}]}, ["inputs[0].shape"]),
    "a shape of one dimension": (body(tensor(shape=[8])), ["inputs[0].shape", "[8]"]),
    "a shape of three dimensions": (body(tensor(shape=[2, 4, 1])), ["inputs[0].shape"]),
    "another width": (body(tensor(shape=[4, 2])), ["inputs[0].shape", "4]"]),
    "a shape of fractions": (body(tensor(shape=[2.0, 4])), ["inputs[0].shape[0]"]),
    "a shape of true": (body(tensor(shape=[True, 4])), ["inputs[0].shape[0]"]),
    "no rows": (body(tensor(data=[], shape=[0, 4])), ["inputs[0].shape", "10000"]),
    "fewer than no rows": (body(tensor(data=[], shape=[-1, 4])), ["inputs[0].shape"]),
    "too many rows": (body(tensor(data=[5] * 40_004, shape=[10_001, 4])), ["inputs[0].shape", "10000"]),
    "no data": ({"inputs": [{"name": "input", "datatype": "FP32", "shape": [1, 4]}]}, ["inputs[0]", "data"]),
    "a number for data": (body(tensor() | {"data": 7.0}), ["inputs[0].data", "8 values"]),
    "an object for data": (body(tensor() | {"data": {"0": 1}}), ["inputs[0].data"]),
    "fewer values than the shape": (body(tensor(data=[5.0] * 7, shape=[2, 4])), ["inputs[0].data", "8 values"]),
    "more values than the shape": (body(tensor(data=[5.0] * 9, shape=[2, 4])), ["inputs[0].data", "8 values"]),
    "a row too short": (body(tensor(data=[SETOSA_ROW, [5, 3, 1]], shape=[2, 4])), ["inputs[0].data"]),
    "a row that is none": (body(tensor(data=[SETOSA_ROW, "abcd"], shape=[2, 4])), ["inputs[0].data"]),
    "rows nested too deep": (body(tensor(data=[[[5], [3], [1], [0]]], shape=[1, 4])), ["inputs[0].data[0]", "[5]"]),
    "lists among flat values": (
        body(tensor([[5.1, 3.5], [], 1.4, 0.2], shape=[1, 4])),
        ["inputs[0].data[0]", "[5.1,3.5]"],
    ),
    "data and bytes": (body(tensor(parameters={"binary_data_size": 16})), ["inputs[0]", "binary_data_size"]),
    "bytes that are not there": (body(binary_tensor(b"x" * 32)), ["0 bytes", "32"]),
    "a size below nothing": (body(tensor(parameters={"binary_data_size": -1})), ["binary_data_size"]),
    "a fraction as an integer": (body(tensor([5, 3, 1, 0.2], datatype="INT64")), ["inputs[0].data[3]", "0.2", "INT64"]),
    "an integer that is too large": (
        body(tensor([5, 3, 1, 128], datatype="INT8")),
        ["inputs[0].data[3]", "128", "INT8"],
    ),
    "an integer below zero": (body(tensor([5, 3, 1, -1], datatype="UINT8")), ["inputs[0].data[3]", "-1", "UINT8"]),
}
# Values that are no plausible number, as JSON writes them.
VALUES = ["NaN", "Infinity", "1e999", "1" + "0" * 400, '"0.2"', '""', "true", "false", "null", "[0.2]", "{}"]


@pytest.mark.parametrize(("request_body", "words"), REFUSED.values(), ids=REFUSED)
def test_a_malformed_request_is_refused_and_its_place_named(
    lone_api: httpx.Client, request_body: Any, words: list[str]
) -> None:
    before = predicted(lone_api)
    check_refused(lone_api.post(f"{MODEL}/infer", json=request_body), 400, *words)
    assert predicted(lone_api) == before


@pytest.mark.parametrize("content", ["", "{", "null", '"text"', "[" * 200_000, "\x00", '{"inputs": [', "\ufeff{}"])
def test_a_body_that_is_no_json_object_is_refused(lone_api: httpx.Client, content: str) -> None:
    check_refused(lone_api.post(f"{MODEL}/infer", content=content.encode()), 400, "body")


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "in rows"])
@pytest.mark.parametrize("value", VALUES)
def test_a_value_that_is_no_number_is_refused(lone_api: httpx.Client, value: str, *, nested: bool) -> None:
    data = [*ROWS, [5.1, 3.5, 1.4, "HERE"]] if nested else [*ROWS[0], *ROWS[1], 5.1, 3.5, 1.4, "HERE"]
    content = json.dumps(body(tensor(data, shape=[3, 4]))).replace('"HERE"', value)
    response = lone_api.post(f"{MODEL}/infer", content=content)
    check_refused(response, 400, "body" if value in VALUES[:4] else "inputs[0].data[11]")


@pytest.mark.parametrize("datatype", ["FP32", "FP64"])
@pytest.mark.parametrize("value", [-0.1, 30.1, 1e38, -1e38])
def test_an_implausible_value_is_refused_by_row_and_feature_in_the_words_of_predict(
    lone_api: httpx.Client, datatype: str, value: float
) -> None:
    [error] = lone_api.post("/predict", json={"data": [[5.1, 3.5, value, 0.2]]}).json()["errors"]
    words = ["inputs[0].data[6] (petal_length of row 1)", error["detail"]]
    values = [*SETOSA_ROW, 5.1, 3.5, value, 0.2]
    check_refused(lone_api.post(f"{MODEL}/infer", json=body(tensor(values, datatype=datatype))), 400, *words)


@pytest.mark.parametrize("kind", ["<f4", "<f8"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.1, 30.1])
def test_an_implausible_number_in_binary_is_refused(lone_api: httpx.Client, kind: str, value: float) -> None:
    raw = np.array([SETOSA_ROW, [5.1, 3.5, value, 0.2]], kind).tobytes()
    sent = binary(body(binary_tensor(raw, datatype={"<f4": "FP32", "<f8": "FP64"}[kind])), raw)
    check_refused(lone_api.post(f"{MODEL}/infer", **sent), 400, "inputs[0].data[6]", "petal_length", "row 1")


def test_the_limits_themselves_are_plausible(lone_api: httpx.Client) -> None:
    assert outputs(infer(lone_api, body(tensor([0, -0.0, 30, 30.0]))))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v2/models/Iris", ["'Iris'", "IrisModel"]),
        ("/v2/models/irismodel", ["IrisModel"]),
        *((f"{MODEL}/versions/{number}", [number, str(KEPT)]) for number in ("8", "0", "07", "-7", "latest", "7.0")),
    ],
)
def test_a_model_or_version_that_does_not_serve_is_not_found(
    lone_api: httpx.Client, path: str, words: list[str]
) -> None:
    for asked in (path, f"{path}/ready/"):
        check_refused(lone_api.get(asked), 404, *words)
    for request in (body(), {}):
        check_refused(lone_api.post(f"{path}/infer", json=request), 404, *words)


def test_without_a_model_the_process_lives_and_names_the_command_to_run(modelless: httpx.Client) -> None:
    assert modelless.get("/v2/health/live").json() == {"live": True}
    assert modelless.get("/v2").status_code == 200
    for path in ("/v2/health/ready", MODEL, f"{MODEL}/ready", f"{BASES[1]}/ready"):
        check_refused(modelless.get(path), 503, "python main.py")
    for base in BASES:
        check_refused(modelless.post(f"{base}/infer", json=body()), 503, "python main.py")
    check_refused(modelless.get("/v2/models/Iris"), 404)


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_ten_megabytes_are_refused(lone_api: httpx.Client, *, chunked: bool) -> None:
    part = b" " * 100_000
    content = (part for _ in range(105)) if chunked else part * 105
    check_refused(lone_api.post(f"{MODEL}/infer", content=content), 413, "bytes")


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_body_is_refused(lone_api: httpx.Client, coding: str) -> None:
    response = lone_api.post(f"{MODEL}/infer", content=b"\x1f\x8b", headers={"Content-Encoding": coding})
    check_refused(response, 415, "compressed", coding)


# Binary tensors

RAW = np.array(ROWS, "<f4").tobytes()


def parts(response: httpx.Response) -> tuple[dict[str, Any], bytes]:
    """Return the JSON of an answer, and the bytes behind it."""
    assert response.headers["content-type"] == "application/octet-stream"
    length = int(response.headers[LENGTH])
    return json.loads(response.content[:length]), response.content[length:]


def test_outputs_follow_the_json_in_their_order(lone_api: httpx.Client) -> None:
    wanted = [{"name": name, "parameters": {"binary_data": name != "label"}} for name in OUTPUTS[:4]]
    expected = outputs(infer(lone_api, body()))
    found = lone_api.post(f"{MODEL}/infer", **binary(body(binary_tensor(RAW), outputs=wanted), RAW)).raise_for_status()
    described, behind = parts(found)
    assert [each.get("parameters") for each in described["outputs"]] == [
        None,
        {"binary_data_size": 24},
        {"binary_data_size": 8},
        {"binary_data_size": 4 + len("Iris-setosa") + 4 + len("Iris-virginica")},
    ]
    assert described["outputs"][0]["data"] == [0, 2]
    assert not any("data" in each for each in described["outputs"][1:])
    assert same(np.frombuffer(behind[:32], "<f4"), [*expected["probabilities"], *expected["outlier_score"]])
    assert behind[32:] == b"\x0b\0\0\0Iris-setosa\x0e\0\0\0Iris-virginica"


def test_parameters_of_an_output_win_over_those_of_the_request(lone_api: httpx.Client) -> None:
    wanted = [
        {"name": "label"},
        {"name": "class_name", "parameters": {"binary_data": False}},
        {"name": "outlier_score", "parameters": {}},
    ]
    described, behind = parts(
        lone_api.post(f"{MODEL}/infer", json=body(parameters={"binary_data_output": True}, outputs=wanted))
    )
    assert ["data" in each for each in described["outputs"]] == [False, True, False]
    assert len(behind) == 2 * 8 + 2 * 4


def test_all_outputs_can_be_had_in_binary(lone_api: httpx.Client) -> None:
    described, behind = parts(lone_api.post(f"{MODEL}/infer", json=body(parameters={"binary_data_output": True})))
    assert [each["name"] for each in described["outputs"]] == OUTPUTS
    assert sum(each["parameters"]["binary_data_size"] for each in described["outputs"]) == len(behind)


def test_a_header_of_the_whole_length_says_that_all_is_json(lone_api: httpx.Client) -> None:
    response = lone_api.post(f"{MODEL}/infer", **binary(body()))
    assert response.headers["content-type"] == "application/json"
    assert LENGTH not in response.headers


@pytest.mark.parametrize("length", ["", "x", "-1", "1.0", "+5", "99999", "9" * 400, "²"])
def test_a_length_that_is_none_is_refused(lone_api: httpx.Client, length: str) -> None:
    headers = [(LENGTH.encode(), length.encode("latin-1"))]
    check_refused(lone_api.post(f"{MODEL}/infer", content=json.dumps(body()), headers=headers), 400, LENGTH)


@pytest.mark.parametrize(
    ("raw", "given"),
    [
        (RAW, binary_tensor(RAW[:-1])),
        (RAW[:-1], binary_tensor(RAW)),
        (RAW[:-1], binary_tensor(RAW[:-1])),
        (RAW, binary_tensor(RAW, datatype="FP64")),
        (RAW, binary_tensor(RAW, shape=[1, 4])),
        (RAW, tensor()),
        (b"", binary_tensor(b"")),
        (RAW + b"x", binary_tensor(RAW)),
    ],
)
def test_bytes_that_do_not_fit_are_refused(lone_api: httpx.Client, raw: bytes, given: dict[str, Any]) -> None:
    check_refused(lone_api.post(f"{MODEL}/infer", **binary(body(given), raw)), 400, "bytes")


# The log, the truth, the challenger


@pytest.fixture
def api(with_copy: Settings) -> Iterator[httpx.Client]:
    """An api whose challenger says of everything that it is Iris-virginica."""
    keep_challenger(with_copy, ALWAYS_VIRGINICA)
    with running_api(with_copy) as client:
        yield client


@pytest.mark.parametrize("base", BASES)
def test_an_answer_of_the_champion_is_counted_logged_and_shown_to_the_challenger(api: httpx.Client, base: str) -> None:
    answer = outputs(infer(api, body(), base))
    assert predicted(api) == {"Iris-setosa": 1, "Iris-versicolor": 0, "Iris-virginica": 1}
    for place, prediction_id in enumerate(answer["prediction_id"]):
        champion, challenger = remembered(api, prediction_id)
        assert (champion["role"], champion["model_version"]) == ("champion", KEPT)
        assert (challenger["role"], challenger["model_version"]) == ("shadow", CHALLENGER)
        assert list(champion["features"].values()) == ROWS[place]
        assert champion["class_name"] == answer["class_name"][place]
        shares = answer["probabilities"][3 * place : 3 * place + 3]
        assert same(list(champion["probabilities"].values()), shares)
    told = {"prediction_id": answer["prediction_id"][0], "class_name": "Iris-setosa"}
    assert api.post("/feedback", json=told).status_code == 200
    assert api.get("/models").json()["comparison"]["only_champion_right"] == 1


def test_ids_are_kept_also_where_they_are_not_asked_for(api: httpx.Client, store: Store) -> None:
    infer(api, body(outputs=[{"name": "label"}]))
    wait_for("four rows", lambda: len(logged(store)) == 4)
    assert len({row["id"] for row in logged(store)}) == 2


def test_the_version_of_the_challenger_answers_in_its_own_place(api: httpx.Client) -> None:
    base = f"{MODEL}/versions/{CHALLENGER}"
    assert api.get(MODEL).json()["versions"] == [str(KEPT), str(CHALLENGER)]
    assert [each["name"] for each in api.get(base).json()["outputs"]] == ["label", "class_name", "prediction_id"]
    assert api.get(f"{base}/ready").json() == {"name": "IrisModel", "ready": True}
    answer = infer(api, body(), base)
    assert answer["model_version"] == str(CHALLENGER)
    found = outputs(answer)
    assert (found["label"], found["class_name"]) == ([2, 2], ["Iris-virginica"] * 2)
    for prediction_id, row in zip(found["prediction_id"], ROWS, strict=True):
        (only,) = remembered(api, prediction_id, count=1)
        assert (only["role"], only["model_version"], only["class_name"]) == ("shadow", CHALLENGER, "Iris-virginica")
        assert list(only["features"].values()) == row
    assert predicted(api)["Iris-virginica"] == 2
    assert counted(api, "shadow_predictions_total") == 0
    check_refused(api.post(f"{base}/infer", json=body(outputs=[{"name": "probabilities"}])), 400, "label, class_name")


@dataclass
class Taking:
    """Takes predictions in the place of the log."""

    taken: list[PredictionBatch] = field(default_factory=list)

    def add(self, batch: PredictionBatch) -> None:
        self.taken.append(batch)


@dataclass
class Holding:
    """Holds a version in the place of the challenger's follower."""

    current: ServedVersion


def test_predictions_of_a_challenger_are_not_compared_with_those_of_its_successor(
    problem: Problem, bundle: bytes
) -> None:
    log: Any = Taking()
    model = OnnxModel(bundle)
    challenger, successor = (
        ServedVersion(Version(problem.onnx_name, number, "here", {}), model) for number in (CHALLENGER, CHALLENGER + 1)
    )
    metrics = Metrics()
    follower: Any = Holding(successor)
    shadow = Shadow(follower, log, ShadowMetrics(metrics))
    predictor = Predictor(log, metrics)
    predictor.observers.append(shadow.offer)
    predictor.predict(challenger, ROWS, "shadow")
    assert len(shadow._queue) == 0
    predictor.predict(challenger, ROWS, "champion")
    assert len(shadow._queue) == len(ROWS)
    assert [batch.role for batch in log.taken] == ["shadow", "champion"]


def test_requests_to_the_challenger_count_for_it_and_for_no_comparison(api: httpx.Client, store: Store) -> None:
    asked = outputs(infer(api, body(), f"{MODEL}/versions/{CHALLENGER}"))["prediction_id"]
    shown = outputs(infer(api, body()))["prediction_id"]
    wait_for("six rows", lambda: len(logged(store)) == 6)
    for prediction_id, class_name in zip([*asked, *shown], ["Iris-setosa", "Iris-virginica"] * 2, strict=True):
        told = {"prediction_id": prediction_id, "class_name": class_name}
        assert api.post("/feedback", json=told).status_code == 200
    found = statistics_of(api)
    assert set(found) == {"champion", "shadow"}
    champion, challenger = found["champion"], found["shadow"]
    assert (champion["model_version"], champion["predictions"], champion["labels"]) == (KEPT, 2, 2)
    assert (challenger["model_version"], challenger["predictions"], challenger["labels"]) == (CHALLENGER, 4, 4)
    assert (champion["accuracy"]["value"], challenger["accuracy"]["value"]) == (1.0, 0.5)
    comparison = api.get("/models").json()["comparison"]
    assert (comparison["both_right"], comparison["only_champion_right"]) == (1, 1)
    assert (comparison["only_challenger_right"], comparison["both_wrong"]) == (0, 0)


def test_a_challenger_alone_answers_by_its_version_only(offline: Settings) -> None:
    keep_challenger(offline, by_hand(2.5, 4.8))
    with running_api(offline) as api:
        assert outputs(infer(api, body(), f"{MODEL}/versions/{CHALLENGER}"))["label"] == [0, 2]
        check_refused(api.post(f"{MODEL}/infer", json=body()), 503)
        check_refused(api.post(f"{MODEL}/versions/{KEPT}/infer", json=body()), 404, str(CHALLENGER))

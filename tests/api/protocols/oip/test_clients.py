"""Other people's clients of the Open Inference Protocol run unchanged."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

from benchmarks.peers.environment import python_of
from common.settings import PROJECT
from tests.api.inference.test_prediction_log import CLASSES
from tests.api.protocols.oip.test_routes import OUTPUTS, ROWS
from tests.conftest import KEPT

CLIENTS = Path(__file__).parent / "clients"
PREDICTED = ["Iris-setosa", "Iris-virginica"]
ARRAY = np.array(ROWS, np.float32)


def run_client(peer: str, script: str, api: httpx.Client, model: str, given: Any) -> dict[str, Any]:
    """Run a client in its own environment; return what it has understood of the answers."""
    command = [str(python_of(peer)), str(CLIENTS / script), f"{api.base_url}".rstrip("/"), model]
    ended = subprocess.run(command, cwd=PROJECT, input=json.dumps(given), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


@pytest.fixture
def expected(lone_api: httpx.Client) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = lone_api.post("/predict", json={"data": ROWS}).json()["predictions"]
    return answers


@pytest.fixture
def client(lone_api: httpx.Client) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(f"{lone_api.base_url.host}:{lone_api.base_url.port}") as opened:
        yield opened


def triton_input(array: np.ndarray[Any, Any], datatype: str, *, binary: bool) -> triton.InferInput:
    sent = triton.InferInput("input", list(array.shape), datatype)
    sent.set_data_from_numpy(array, binary_data=binary)
    return sent


def test_tritons_client_finds_the_service_well(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    for version in ("", str(KEPT)):
        assert client.is_model_ready("IrisModel", version)
        assert client.get_model_metadata("IrisModel", version)["versions"] == [str(KEPT)]
    assert not client.is_model_ready("IrisModel", "99")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]


@pytest.mark.parametrize("version", ["", str(KEPT)])
@pytest.mark.parametrize("answered", [False, True], ids=["answered in JSON", "answered in binary"])
@pytest.mark.parametrize("sent", [False, True], ids=["sent in JSON", "sent in binary"])
def test_tritons_client_gets_the_answers_of_predict(
    client: triton.InferenceServerClient, expected: list[dict[str, Any]], version: str, *, sent: bool, answered: bool
) -> None:
    wanted = [triton.InferRequestedOutput(name, binary_data=answered) for name in OUTPUTS]
    inputs = [triton_input(ARRAY, "FP32", binary=sent)]
    result = client.infer("IrisModel", inputs, model_version=version, outputs=wanted, request_id="42")
    assert result.get_response()["id"] == "42"
    assert result.as_numpy("label").tolist() == [CLASSES.index(each["class_name"]) for each in expected]
    shares = [list(each["probabilities"].values()) for each in expected]
    np.testing.assert_allclose(result.as_numpy("probabilities"), shares, atol=1e-6)
    assert result.as_numpy("probabilities").dtype == np.float32
    scores = [each["outlier_score"] for each in expected]
    np.testing.assert_allclose(result.as_numpy("outlier_score"), scores, atol=1e-6)
    names = result.as_numpy("class_name").tolist()
    assert names == ([name.encode() for name in PREDICTED] if answered else PREDICTED)
    assert len(set(result.as_numpy("prediction_id").tolist())) == 2


def test_tritons_client_gets_everything_in_binary_if_it_says_nothing(client: triton.InferenceServerClient) -> None:
    result = client.infer("IrisModel", [triton_input(ARRAY.astype(np.float64), "FP64", binary=True)])
    assert [output["name"] for output in result.get_response()["outputs"]] == OUTPUTS
    assert result.as_numpy("class_name").tolist() == [name.encode() for name in PREDICTED]


def test_the_id_that_tritons_client_gets_takes_the_truth(
    lone_api: httpx.Client, client: triton.InferenceServerClient
) -> None:
    result = client.infer("IrisModel", [triton_input(ARRAY, "FP32", binary=True)])
    prediction_id = result.as_numpy("prediction_id").tolist()[0].decode()
    told = {"prediction_id": prediction_id, "class_name": PREDICTED[0]}
    assert lone_api.post("/feedback", json=told).status_code == 200


@pytest.mark.parametrize("binary", [False, True], ids=["in JSON", "in binary"])
def test_tritons_client_understands_refusals(client: triton.InferenceServerClient, *, binary: bool) -> None:
    implausible = ARRAY.copy()
    implausible[1, 3] = 31
    for array, model, version, words in (
        (implausible, "IrisModel", "", "petal_width of row 1"),
        (ARRAY[:, :3].copy(), "IrisModel", "", "inputs[0].shape"),
        (ARRAY, "Iris", "", "there is no model 'Iris'"),
        (ARRAY, "IrisModel", "99", "version 99"),
    ):
        with pytest.raises(InferenceServerException) as raised:
            client.infer(model, [triton_input(array, "FP32", binary=binary)], model_version=version)
        assert raised.value.status() in ("400", "404")
        assert words in raised.value.message()


def test_kserves_client_gets_the_answers_of_predict(lone_api: httpx.Client, expected: list[dict[str, Any]]) -> None:
    found = run_client("kserve", "kserve_client.py", lone_api, "IrisModel", given=ROWS)
    assert (found["live"], found["ready"], found["model_ready"], found["unknown_ready"]) == (True, True, True, False)
    shares = [list(each["probabilities"].values()) for each in expected]
    for way in ("json", "binary", "by_dict"):
        assert found[way]["model_name"] == "IrisModel"
        outputs = found[way]["outputs"]
        assert outputs["label"] == [CLASSES.index(each["class_name"]) for each in expected]
        np.testing.assert_allclose(outputs["probabilities"], shares, atol=1e-6)
        assert outputs["class_name"] == PREDICTED
    assert (found["json"]["id"], found["binary"]["id"], found["by_dict"]["id"]) == ("42", "42", None)
    assert "inputs[0].shape: [1, 3]" in found["refused"]
    assert "400 Bad Request" in found["refused"]


def test_requests_of_mlservers_types_get_the_answers_of_predict(
    lone_api: httpx.Client, expected: list[dict[str, Any]]
) -> None:
    found = run_client("mlserver", "mlserver_types.py", lone_api, "IrisModel", given={"input": ROWS})
    assert (found["inputs"], found["version"], found["id"]) == (["input"], str(KEPT), "42")
    assert found["class_names"] == PREDICTED
    assert found["labels"] == [CLASSES.index(each["class_name"]) for each in expected]
    np.testing.assert_allclose(found["scores"], [each["outlier_score"] for each in expected], atol=1e-6)
    assert found["of_all"] == OUTPUTS

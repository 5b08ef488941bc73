"""The loop in containers over HTTP, and the state that survives a restart of each container."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from scripts.parts import wait_for
from tests.containers.loop import PATIENCE, SETOSA, ask, correct, predict, served, state
from tests.containers.stack import KEY, PASSWORD, Stack

Look = Callable[[], object]  # returns a state of a service
# The program counts the rows of yesterday and today in the files.
EXPORTED = """
from datetime import UTC, datetime, timedelta

from common.exported_days import read_days

now = datetime.now(UTC)
print(sum(len(rows) for rows in read_days("/lab/exported", "iris", now - timedelta(days=1), now)))
"""


@pytest.fixture(scope="module")
def learnt(stack: Stack) -> dict[str, Any]:
    """Run the loop once; return the state that must survive from then on."""
    with stack.client() as api:
        unready = api.post("/predict", json=SETOSA)
        assert (unready.status_code, "no model yet" in unready.text) == (503, True)
        stack.once("train")
        wait_for("the first version", lambda: api.get("/predict/test").is_success, PATIENCE)
        prediction = predict(api)
        truth = {"prediction_id": prediction["prediction_id"], "class_name": "Iris-setosa"}
        assert api.post("/feedback", json=truth).is_success
        ask(api)
        suggestions = correct(api, range(5))
        served(api, 2)
        return memory(api, prediction["prediction_id"], suggestions)


def memory(api: httpx.Client, prediction_id: str, suggestions: list[str]) -> dict[str, Any]:
    """Return the stored state of a prediction, its ground truth and the corrections."""
    models = api.get("/models").raise_for_status().json()
    predictions = api.get(f"/predictions/{prediction_id}").raise_for_status().json()
    return {
        "prediction_id": prediction_id,
        "suggestions": suggestions,
        # `exported` may change at any time, when the monitor exports the prediction.
        "predictions": [{name: value for name, value in each.items() if name != "exported"} for each in predictions],
        "states": [state(api, each) for each in suggestions],
        "labels": sum(each["labels"] for each in models["versions"]),
    }


def serving(api: httpx.Client) -> int:
    """Return the version that answers, after waiting for restarted services to connect again."""
    answer = wait_for("an answer", lambda: (found := api.post("/predict", json=SETOSA)).is_success and found.json())
    return int(answer["model_version"])


def test_five_corrections_become_the_version_that_answers(stack: Stack, learnt: dict[str, Any]) -> None:
    assert [each["model_version"] for each in learnt["states"]] == [2] * 5
    assert [(each["model_version"], each["truth"]) for each in learnt["predictions"]] == [(1, "Iris-setosa")]
    assert learnt["labels"] == 1
    assert len((stack.data / "iris" / "finetune.csv").read_text().splitlines()) >= 5


@pytest.mark.parametrize("service", ["postgres", "api"])
def test_a_restart_keeps_corrections_ground_truths_and_the_version_that_answers(
    stack: Stack, learnt: dict[str, Any], service: str
) -> None:
    with stack.client() as api:
        before = serving(api)
        stack.restart(service)
        assert serving(api) == before
        # The api answers predictions also before it has reached PostgreSQL again.
        found = wait_for("the store", lambda: memory(api, learnt["prediction_id"], learnt["suggestions"]))
        assert found == learnt


def earlier_samples(stack: Stack) -> Look:
    """Look at the targets, and at how often each was reached in ten minutes that ended 15 s ago.

    A sample has the time at which its scrape began, and a scrape may take 10 s.
    """
    query = {"query": "count_over_time(up[10m])", "time": f"{time.time() - 15:.3f}"}

    def look() -> object:
        answer = httpx.get(f"{stack.address('PROMETHEUS_PORT')}/api/v1/query", params=query).raise_for_status().json()
        return sorted((each["metric"]["instance"], each["value"]) for each in answer["data"]["result"])

    return look


def a_silence(stack: Stack) -> Look:
    """Silence an alert that no rule has, and look at the silence."""
    silences = f"{stack.address('ALERTMANAGER_PORT')}/api/v2/silences"
    begin = datetime.now(UTC)
    matcher = {"name": "alertname", "value": "Unheard", "isRegex": False}
    times = {"startsAt": begin.isoformat(), "endsAt": (begin + timedelta(hours=1)).isoformat()}
    silence = {"matchers": [matcher], **times, "createdBy": "a test", "comment": "nothing has this name"}
    made = httpx.post(silences, json=silence).raise_for_status().json()["silenceID"]

    def look() -> object:
        found = {each["id"]: each for each in httpx.get(silences).raise_for_status().json()}
        return found[made]["status"], found[made]["matchers"], found[made]["endsAt"]

    return look


def a_session(stack: Stack) -> Look:
    """Log in at the monitor, and look with this session at the times of all log-ins in the audit log."""
    address = stack.address("MONITOR_PORT")
    own = {"Sec-Fetch-Site": "same-origin"}
    session = httpx.post(f"{address}/log-in", data={"key": KEY}, headers=own).cookies

    def look() -> object:
        page = httpx.get(f"{address}/audit", cookies=session).raise_for_status().text
        return [re.findall(r'datetime="([^"]+)"', row) for row in page.split("<tr>") if "<td>log-in</td>" in row]

    return look


@pytest.mark.parametrize(
    ("service", "leave"),
    [("prometheus", earlier_samples), ("alertmanager", a_silence), ("monitor", a_session)],
    ids=["prometheus", "alertmanager", "monitor"],
)
def test_a_restarted_service_has_kept_its_own_state(
    stack: Stack, learnt: dict[str, Any], service: str, leave: Callable[[Stack], Look]
) -> None:
    look = leave(stack)
    before = wait_for("a state", look)
    stack.restart(service)
    # Until the service answers, the look ends with an error of HTTP.
    assert wait_for("the state after the restart", look) == before
    assert learnt["labels"] == 1


def test_a_restarted_proxy_which_has_no_state_serves_again(stack: Stack, learnt: dict[str, Any]) -> None:
    with stack.client() as api:
        before = serving(api)
        stack.restart("proxy")
        assert serving(api) == before
        assert memory(api, learnt["prediction_id"], learnt["suggestions"]) == learnt


def test_traffic_comes_through_the_proxy_without_a_failure(stack: Stack, learnt: dict[str, Any]) -> None:
    said = stack.once("traffic", "--seconds", "3", "--rate", "20", "--labels", "0")
    assert re.search(r"requests\W+60", said)
    assert re.search(r"failed\W+0", said)
    assert learnt["labels"] == 1


def window(stack: Stack) -> float | None:
    """Return the number of predictions in the monitor's newest window."""
    text = httpx.get(f"{stack.address('MONITOR_PORT')}/metrics").raise_for_status().text
    found = re.search(r'^window_predictions\{problem="iris"\} (\S+)$', text, re.MULTILINE)
    return float(found[1]) if found else None


def test_the_monitor_evaluates_the_predictions_and_shows_them(stack: Stack, learnt: dict[str, Any]) -> None:
    with stack.client() as api:
        serving(api)
    assert wait_for("a window", lambda: window(stack), PATIENCE) > 0
    headers = {"Accept": "text/html", "X-API-Key": KEY}
    page = httpx.get(f"{stack.address('MONITOR_PORT')}/", headers=headers).raise_for_status().text
    assert "Champion v" in page
    assert f"http://localhost:{stack.environment['MLFLOW_PORT']}/" in page
    assert learnt["labels"] == 1


def test_the_monitor_writes_to_the_external_log_in_mlflow(stack: Stack, learnt: dict[str, Any]) -> None:
    stack.with_secrets("monitor", "python", "-m", "monitor.external_log")
    with httpx.Client(
        base_url=f"{stack.address('MLFLOW_PORT')}/api/2.0/mlflow", auth=("api", PASSWORD), timeout=20.0
    ) as mlflow:
        named = mlflow.get("/experiments/get-by-name", params={"experiment_name": "IrisMonitoring"})
        experiment = named.raise_for_status().json()["experiment"]["experiment_id"]
        found = mlflow.post("/runs/search", json={"experiment_ids": [experiment]})
    runs = found.raise_for_status().json()["runs"]
    assert {metric["key"] for run in runs for metric in run["data"]["metrics"]} >= {
        "champion_predictions",
        "champion_accuracy",
    }
    assert learnt["labels"] == 1


def test_the_monitor_writes_days_of_the_log_into_a_volume(stack: Stack, learnt: dict[str, Any]) -> None:
    command = ("env", "EXPORT_PREDICTIONS=/lab/exported", "python", "-m", "monitor.exporting_days")
    tomorrow = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    said = stack.with_secrets("monitor", *command, "iris", tomorrow.isoformat(), "all").stdout
    assert "days written to /lab/exported: " in said
    assert int(stack.inside("monitor", "python", "-c", EXPORTED).stdout) > 200
    assert learnt["labels"] == 1


def test_the_loop_goes_on_after_a_restart_of_the_servers_that_train(stack: Stack, learnt: dict[str, Any]) -> None:
    stack.restart("mlflow", "prefect", "finetune")
    with stack.client() as api:
        before = serving(api)
        assert memory(api, learnt["prediction_id"], learnt["suggestions"]) == learnt
        correct(api, range(5, 10))
        served(api, before + 1)

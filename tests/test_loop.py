"""The whole loop on real servers: corrections become the next version, whatever goes down on the way."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import uuid4

import httpx
import mlflow
import psutil
import pytest
from filelock import FileLock

from common.problem import Problem
from common.registry.client import Version
from common.settings import Settings
from common.store import Store
from common.store.suggestions import Suggestion
from finetune.append import append_corrections
from scripts.parts import free_port, wait_for
from tests import servers
from tests.conftest import StartApi, served_version

CLASSES = ("Iris-setosa", "Iris-versicolor", "Iris-virginica")
SHAPES = ((3.5, 1.4, 0.2), (2.8, 4.1, 1.3), (3.3, 6.0, 2.5))
OVER = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
SELDOM = 0.25  # seconds between two questions to Prefect, each of which keeps it busy for some hundredths of a second


def correction(number: int) -> dict[str, Any]:
    """Return a right correction that can be told by its first number."""
    width, length, petal_width = SHAPES[number % 3]
    return {
        "sepal_length": 5 + number / 100,
        "sepal_width": width,
        "petal_length": length,
        "petal_width": petal_width,
        "class_name": CLASSES[number % 3],
    }


def row(number: int) -> str:
    *features, name = correction(number).values()
    return ",".join([*map(repr, features), str(CLASSES.index(name))])


def rows(lab: Settings) -> list[str]:
    return lab.corrections.read_text().splitlines() if lab.corrections.exists() else []


def versions(lab: Settings, name: str = "IrisModel") -> list[int]:
    found = mlflow.MlflowClient(lab.mlflow_uri).search_model_versions(f"name = '{name}'")
    return sorted(int(version.version) for version in found)


def suggest(api: httpx.Client, numbers: range) -> list[str]:
    """Send corrections, as soon as there is a model to correct; return the ids of the suggestions."""
    wait_for("a version", lambda: served_version(api))
    answers = [api.post("/suggest", json=correction(number)) for number in numbers]
    assert [answer.status_code for answer in answers] == [202] * len(numbers)
    return [answer.json()["suggestion_id"] for answer in answers]


def details(api: httpx.Client, ids: list[str]) -> list[str]:
    return [api.get(f"/suggest/{suggestion_id}").json()["detail"] for suggestion_id in ids]


def wait_for_details(api: httpx.Client, ids: list[str], detail: str, within: float = 90) -> None:
    # A question for all of them each time would keep the api and this machine busy instead of the worker.
    wait_for(f"{detail!r}", lambda: all(details(api, [each]) == [detail] for each in ids), within)


def ask_prefect(lab: Settings, method: str, path: str, body: Any = None) -> Any:
    """Ask Prefect's API, again while its SQLite is busy, as Prefect's own client does."""

    def answer() -> httpx.Response | None:
        response = httpx.request(method, f"{lab.prefect_api_url}{path}", json=body, timeout=30.0)
        return None if response.status_code == httpx.codes.SERVICE_UNAVAILABLE else response

    response = wait_for(f"an answer to {path}", answer).raise_for_status()
    return response.json() if response.content else None


def prefect_runs(lab: Settings) -> list[dict[str, Any]]:
    return list(ask_prefect(lab, "POST", "/flow_runs/filter", {"limit": 200}))


def start_run(lab: Settings, *, key: str | None = None, **parameters: Any) -> str:
    """Start a run in Prefect as a person does who has nothing but Prefect; return its id."""
    deployment = ask_prefect(lab, "GET", "/deployments/name/finetune/finetune")
    body = {"parameters": parameters, "idempotency_key": key or str(uuid4())}
    return str(ask_prefect(lab, "POST", f"/deployments/{deployment['id']}/create_flow_run", body)["id"])


def wait_until_over(lab: Settings, within: float = 90) -> list[dict[str, Any]]:
    """Return all runs when none of them is under way or to come."""

    def all_over() -> list[dict[str, Any]] | None:
        runs = prefect_runs(lab)
        return runs if {run["state_type"] for run in runs} <= OVER else None

    return wait_for("the end of all runs", all_over, within, every=SELDOM)


def forget_runs(lab: Settings) -> None:
    for run in prefect_runs(lab):
        ask_prefect(lab, "DELETE", f"/flow_runs/{run['id']}")


@contextmanager
def without_runs(settings: Settings, **changed: str) -> Iterator[Settings]:
    """Yield the settings of a lab in whose Prefect no run is left that another lab has started."""
    lab = settings.model_copy(update=changed)
    forget_runs(lab)
    yield lab
    forget_runs(lab)


def register_deployment(lab: Settings) -> None:
    """Leave the worker's deployment in Prefect, and no worker."""
    path = f"{lab.prefect_api_url}/deployments/name/finetune/finetune"
    if httpx.get(path, timeout=30.0).status_code == httpx.codes.NOT_FOUND:
        with servers.worker(lab):
            pass


@pytest.fixture
def lab(settings: Settings, trained: Version, prefect_api_url: str) -> Iterator[Settings]:
    """A lab with version 1 and all servers."""
    assert trained.number == 1
    with without_runs(settings, prefect_api_url=prefect_api_url) as ready:
        yield ready


def let_wait(lab: Settings, problem: Problem, numbers: range) -> list[str]:
    """Leave corrections in the store and in finetune.csv, as earlier runs do; return their ids."""
    store = Store(lab.database_url)
    ids = []
    for number in numbers:
        features = correction(number)
        suggestion = Suggestion(str(uuid4()), problem.name, features, features.pop("class_name"))
        store.suggestions.add(suggestion)
        store.suggestions.delivered(suggestion.id, str(uuid4()))
        append_corrections(store, problem, suggestion, lab.corrections)
        ids.append(suggestion.id)
    store.close()
    return ids


def test_four_corrections_wait_and_the_fifth_becomes_a_version_that_answers(lab: Settings, start_api: StartApi) -> None:
    with servers.worker(lab), start_api(lab) as api:
        ids = suggest(api, range(4))
        wait_for_details(api, ids, "waiting (4 of 5)")
        assert versions(lab) == [1]
        assert served_version(api) == 1
        ids += suggest(api, range(4, 5))
        wait_for_details(api, ids, "trained in version 2")
        wait_for("the new version", lambda: served_version(api) == 2, within=20)
        statuses = [api.get(f"/suggest/{one}").json() for one in ids]
        runs = wait_until_over(lab)
    assert {(status["state"], status["model_version"]) for status in statuses} == {("trained", 2)}
    assert sorted(rows(lab)) == [row(number) for number in range(5)]
    assert versions(lab) == versions(lab, "IrisDev") == [1, 2]
    assert {run["state_type"] for run in runs} == {"COMPLETED"}
    assert {status["flow_run_id"] for status in statuses} == {run["id"] for run in runs}
    check_task_names(lab)


def check_task_names(lab: Settings) -> None:
    of_runs = {"flow_runs": {"id": {"any_": [run["id"] for run in prefect_runs(lab)]}}}
    tasks = ask_prefect(lab, "POST", "/task_runs/filter", of_runs)
    names = {task["name"].rpartition("-")[0] for task in tasks}
    assert names == {"append-corrections", "fine-tune", "collect-evidence", "judge", "register-version"}


@pytest.mark.thorough
def test_a_hundred_corrections_that_wait_are_learnt_in_one_run(lab: Settings, start_api: StartApi) -> None:
    with servers.worker(lab), start_api(lab) as api:
        # Until all have come, the run of the first gets as far as the lock of the file.
        with FileLock(lab.data_dir / "finetune.lock"):
            ids = suggest(api, range(100))
            wait_for_details(api, ids, "delivered")
            statuses = [api.get(f"/suggest/{one}").json() for one in ids]
        wait_for_details(api, ids, "trained in version 2")
        (run,) = wait_until_over(lab)
    assert {status["flow_run_id"] for status in statuses} == {run["id"]}
    assert (run["state_type"], run["state"]["message"]) == ("COMPLETED", "trained in version 2")
    assert versions(lab) == versions(lab, "IrisDev") == [1, 2]
    assert sorted(rows(lab)) == sorted(row(number) for number in range(100))


def test_a_model_below_the_threshold_is_refused_and_the_champion_stays(
    lab: Settings, problem: Problem, start_api: StartApi
) -> None:
    lab = lab.model_copy(update={"gate": "threshold"})
    test = lab.data_dir / "test.csv"
    test.write_text("".join(f"{line[:-1]}{(int(line[-1]) + 1) % 3}\n" for line in test.read_text().splitlines()))
    ids = let_wait(lab, problem, range(4))
    with servers.worker(lab), start_api(lab) as api:
        ids += suggest(api, range(4, 5))
        wait_for("a refusal", lambda: all(d.startswith("refused") for d in details(api, ids)), within=90)
        status = api.get(f"/suggest/{ids[0]}").json()
        (run,) = wait_until_over(lab)
        assert served_version(api) == 1
    assert status["state"] == "refused"
    assert "90 %" in status["detail"]
    assert status["detail"] in run["state"]["message"]
    assert versions(lab) == versions(lab, "IrisDev") == [1]
    assert mlflow.MlflowClient(lab.mlflow_uri).get_model_version_by_alias("IrisModel", "champion").version in {1, "1"}


def test_corrections_sent_while_prefect_is_down_are_learnt_when_it_is_back(
    settings: Settings, trained: Version, start_api: StartApi, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert trained.number == 1
    folder, port = tmp_path_factory.mktemp("own-prefect"), free_port()
    lab = settings.model_copy(update={"prefect_api_url": f"http://127.0.0.1:{port}/api"})
    with ExitStack() as stack:
        with servers.prefect_server(folder, port):
            worker = stack.enter_context(servers.worker(lab))
        with start_api(lab) as api:
            ids = suggest(api, range(5))
            wait_for("a failed delivery", lambda: "not delivered yet" in details(api, ids)[0], within=20)
            assert {api.get(f"/suggest/{one}").json()["state"] for one in ids} == {"received"}
        stack.enter_context(servers.prefect_server(folder, port))
        with start_api(lab) as api:
            wait_for_details(api, ids, "trained in version 2", within=120)
        assert worker.poll() is None
    assert sorted(rows(lab)) == [row(number) for number in range(5)]
    assert versions(lab) == [1, 2]


def flow_run_of(api: httpx.Client, suggestion_id: str, other_than: str | None = None) -> str:
    """Return the flow run that has a suggestion, as soon as it has another one than so far."""

    def look() -> str | None:
        found: str | None = api.get(f"/suggest/{suggestion_id}").json()["flow_run_id"]
        return found if found != other_than else None

    return wait_for("a flow run", look)


@pytest.fixture
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.lost_runs.lost_runs.LOOK_SECONDS", 0.2)


@pytest.mark.thorough
def test_a_deployment_that_was_deleted_is_registered_again_and_corrections_are_learnt(
    lab: Settings, start_api: StartApi
) -> None:
    with servers.worker(lab), start_api(lab) as api:
        deployment = ask_prefect(lab, "GET", "/deployments/name/finetune/finetune")
        ask_prefect(lab, "DELETE", f"/deployments/{deployment['id']}")
        ids = suggest(api, range(5))
        wait_for_details(api, ids, "trained in version 2")
        (run,) = wait_until_over(lab)
    assert run["deployment_id"] != deployment["id"]


@pytest.mark.thorough
@pytest.mark.usefixtures("looks_often")
def test_corrections_are_learnt_when_prefects_database_was_replaced_under_their_run(
    settings: Settings, trained: Version, start_api: StartApi, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert trained.number == 1
    port = free_port()
    lab = settings.model_copy(update={"prefect_api_url": f"http://127.0.0.1:{port}/api"})
    with ExitStack() as stack:
        # The first correction's run gets no further than the lock of the file before Prefect has forgotten it.
        with FileLock(lab.data_dir / "finetune.lock"):
            with servers.prefect_server(tmp_path_factory.mktemp("prefect"), port):
                worker = stack.enter_context(servers.worker(lab))
                api = stack.enter_context(start_api(lab))
                ids = suggest(api, range(1))
                wait_for("its run", lambda: running(lab))
                forgotten = flow_run_of(api, ids[0])
            stack.enter_context(servers.prefect_server(tmp_path_factory.mktemp("other-prefect"), port))
            flow_run_of(api, ids[0], other_than=forgotten)
        ids += suggest(api, range(1, 5))
        wait_for_details(api, ids, "trained in version 2")
        assert worker.poll() is None
    assert sorted(rows(lab)) == [row(number) for number in range(5)]
    assert versions(lab) == [1, 2]


@pytest.mark.usefixtures("looks_often")
def test_corrections_whose_flow_run_is_cancelled_or_deleted_are_delivered_anew(
    lab: Settings, start_api: StartApi
) -> None:
    register_deployment(lab)
    with start_api(lab) as api:
        ids = suggest(api, range(3))
        cancelled = flow_run_of(api, ids[0])
        cancel = {"state": {"type": "CANCELLED"}, "force": True}
        ask_prefect(lab, "POST", f"/flow_runs/{cancelled}/set_state", cancel)
        deleted = flow_run_of(api, ids[0], other_than=cancelled)
        ask_prefect(lab, "DELETE", f"/flow_runs/{deleted}")
        last = flow_run_of(api, ids[0], other_than=deleted)
        assert {flow_run_of(api, one, other_than=deleted) for one in ids} == {last}
        assert {run["id"] for run in prefect_runs(lab)} == {cancelled, last}
        with servers.worker(lab):
            wait_for_details(api, ids, "waiting (3 of 5)")
    assert sorted(rows(lab)) == [row(number) for number in range(3)]


@pytest.mark.thorough
@pytest.mark.usefixtures("looks_often")
def test_corrections_that_wait_for_a_training_whose_flow_run_is_gone_are_learnt(
    lab: Settings, problem: Problem, start_api: StartApi
) -> None:
    ids = let_wait(lab, problem, range(5))
    with servers.worker(lab), start_api(lab) as api:
        wait_for_details(api, ids, "trained in version 2")
        (run,) = wait_until_over(lab)
        assert flow_run_of(api, ids[-1]) == run["id"]
    assert sorted(rows(lab)) == [row(number) for number in range(5)]


@pytest.mark.thorough
@pytest.mark.usefixtures("looks_often")
def test_as_long_as_no_other_run_can_be_had_the_status_says_so(lab: Settings, start_api: StartApi) -> None:
    register_deployment(lab)
    with start_api(lab) as api:
        (one,) = suggest(api, range(1))
        deployment = ask_prefect(lab, "GET", "/deployments/name/finetune/finetune")
        flow_run_of(api, one)
        ask_prefect(lab, "DELETE", f"/deployments/{deployment['id']}")
        wait_for("the reason", lambda: "its flow run is gone" in details(api, [one])[0])
        assert "404" in details(api, [one])[0]
        with servers.worker(lab):
            wait_for_details(api, [one], "waiting (1 of 5)")


@pytest.mark.thorough
@pytest.mark.usefixtures("looks_often")
def test_corrections_whose_flow_run_has_outlived_its_deployment_are_delivered_anew(
    lab: Settings, start_api: StartApi
) -> None:
    register_deployment(lab)
    with start_api(lab) as api:
        (one,) = suggest(api, range(1))
        outlived = flow_run_of(api, one)
        # Prefect deletes those that are still to begin with their deployment.
        begun = {"state": {"type": "RUNNING"}, "force": True}
        ask_prefect(lab, "POST", f"/flow_runs/{outlived}/set_state", begun)
        deployment = ask_prefect(lab, "GET", "/deployments/name/finetune/finetune")
        ask_prefect(lab, "DELETE", f"/deployments/{deployment['id']}")
        with servers.worker(lab):
            wait_for_details(api, [one], "waiting (1 of 5)")
        assert {run["id"] for run in prefect_runs(lab)} == {outlived, flow_run_of(api, one, other_than=outlived)}


@pytest.mark.parametrize("noted", [False, True], ids=["before its run was noted", "before the others have joined it"])
def test_an_api_that_ended_while_it_delivered_makes_no_second_run(
    lab: Settings, problem: Problem, start_api: StartApi, *, noted: bool
) -> None:
    register_deployment(lab)
    store = Store(lab.database_url)
    ids = [str(uuid4()) for _ in range(3)]
    for number, one in enumerate(ids):
        features = correction(number)
        store.suggestions.add(Suggestion(one, problem.name, features, features.pop("class_name")))
    run = start_run(lab, key=ids[0], **correction(0), suggestion_id=ids[0])
    if noted:
        store.suggestions.delivered(ids[0], run)
    store.close()
    with start_api(lab) as api:
        assert [flow_run_of(api, one) for one in ids] == [run] * 3
        assert len(prefect_runs(lab)) == 1


def running(lab: Settings) -> int:
    return sum(run["state_type"] == "RUNNING" for run in prefect_runs(lab))


def test_two_workers_at_once_lose_and_double_nothing(lab: Settings) -> None:
    ids = [str(uuid4()) for _ in range(2)]
    with servers.worker(lab), servers.worker(lab):
        # While somebody else has the file, both get as far as its lock; then they go on at the same moment.
        with FileLock(lab.data_dir / "finetune.lock"):
            for number, suggestion_id in enumerate(ids):
                start_run(lab, **correction(number), suggestion_id=suggestion_id)
            wait_for("two runs at once", lambda: running(lab) == 2, every=SELDOM)
            assert rows(lab) == []
        for number, suggestion_id in enumerate(ids):
            start_run(lab, **correction(number), suggestion_id=suggestion_id)
        runs = wait_until_over(lab)
    assert len(runs) == 4
    assert {run["state_type"] for run in runs} == {"COMPLETED"}
    assert sorted(rows(lab)) == [row(number) for number in range(2)]
    assert versions(lab) == [1]


def kill_whole(process: psutil.Process) -> None:
    """End a process and all that it has started, at once and without a word."""
    processes = [process, *process.children(recursive=True)]
    for one in processes:
        one.kill()
    psutil.wait_procs(processes, timeout=15)


def test_a_worker_killed_between_append_and_training_loses_and_doubles_nothing(lab: Settings, problem: Problem) -> None:
    let_wait(lab, problem, range(4))
    with servers.worker(lab) as worker:
        start_run(lab, **correction(4), suggestion_id=str(uuid4()))
        wait_for("the fifth row", lambda: len(rows(lab)) == 5)
        kill_whole(psutil.Process(worker.pid))
    assert versions(lab) == [1]
    (run,) = prefect_runs(lab)
    assert run["state_type"] not in OVER
    with servers.worker(lab):
        (run,) = wait_until_over(lab)
    assert run["state_type"] == "COMPLETED"
    assert run["state"]["message"] == "trained in version 2"
    assert sorted(rows(lab)) == [row(number) for number in range(5)]
    assert versions(lab) == versions(lab, "IrisDev") == [1, 2]


@pytest.mark.thorough
def test_a_run_whose_process_is_killed_is_tried_again_by_the_same_worker(lab: Settings, problem: Problem) -> None:
    let_wait(lab, problem, range(4))
    with servers.worker(lab) as worker:
        start_run(lab, **correction(4), suggestion_id=str(uuid4()))
        wait_for("the fifth row", lambda: len(rows(lab)) == 5)
        for run_process in psutil.Process(worker.pid).children(recursive=True):
            run_process.kill()
        wait_for("the second attempt", lambda: versions(lab) == [1, 2], within=120, every=SELDOM)
        (run,) = wait_until_over(lab)
    assert run["state_type"] == "COMPLETED"
    assert run["run_count"] > 1
    assert sorted(rows(lab)) == [row(number) for number in range(5)]


@pytest.mark.thorough
def test_a_run_that_is_cancelled_in_prefect_ends_and_the_worker_goes_on(lab: Settings) -> None:
    with servers.worker(lab) as worker:
        # The run gets no further than the lock of the file.
        with FileLock(lab.data_dir / "finetune.lock"):
            cancelled = start_run(lab, **correction(0), suggestion_id=str(uuid4()))
            wait_for("its start", lambda: running(lab))
            started = psutil.Process(worker.pid).children(recursive=True)
            forked = [each for each in started if each.ppid() != worker.pid]
            assert len(forked) == (sys.platform == "linux")
            ask_prefect(lab, "POST", f"/flow_runs/{cancelled}/set_state", {"state": {"type": "CANCELLING"}})
            (run,) = wait_until_over(lab)
            assert run["state_type"] == "CANCELLED"
        learnt = start_run(lab, **correction(1), suggestion_id=str(uuid4()))
        runs = wait_until_over(lab)
        asked = {"logs": {"flow_run_id": {"any_": [learnt]}}}
        wait_for(
            "its last log line",
            lambda: "Finished in state Waiting" in str(ask_prefect(lab, "POST", "/logs/filter", asked)),
        )
    assert {run["id"]: run["state_type"] for run in runs} == {cancelled: "CANCELLED", learnt: "COMPLETED"}
    assert rows(lab) == [row(1)]


def test_a_training_that_finds_no_mlflow_is_tried_again_until_it_succeeds(lab: Settings, problem: Problem) -> None:
    let_wait(lab, problem, range(4))
    port = free_port()
    with servers.worker(lab.model_copy(update={"mlflow_uri": f"http://127.0.0.1:{port}"})):
        start_run(lab, **correction(4), suggestion_id=str(uuid4()))
        wait_for("a failure", lambda: "tried again" in (prefect_runs(lab)[0]["state"]["message"] or ""), every=SELDOM)
        assert versions(lab) == [1]
        with servers.relay(port, lab.mlflow_uri):
            (run,) = wait_until_over(lab)
    assert run["state"]["message"] == "trained in version 2"
    assert versions(lab) == versions(lab, "IrisDev") == [1, 2]
    assert sorted(rows(lab)) == [row(number) for number in range(5)]


def test_a_run_started_in_prefect_is_learnt_from_and_a_bad_one_is_refused(lab: Settings, start_api: StartApi) -> None:
    bad = str(uuid4())
    with servers.worker(lab), start_api(lab) as api:
        # Runs are one at a time: when the second is over, all that follows the first one's end has happened.
        refused = start_run(lab, **{**correction(1), "class_name": "Iris-unknown"}, suggestion_id=bad)
        # As from the form on Prefect's page: four numbers and a class.
        done = start_run(lab, **correction(0))
        runs = wait_until_over(lab)
        assert details(api, [done]) == ["waiting (1 of 5)"]
        assert api.get(f"/suggest/{bad}").status_code == 404
    states = {run["id"]: run["state"] for run in runs}
    assert set(states) == {done, refused}
    assert [run["run_count"] for run in runs] == [1, 1]
    assert (states[done]["type"], states[done]["message"]) == ("COMPLETED", "waiting (1 of 5)")
    assert states[refused]["name"] == "Refused"
    assert "Iris-unknown" in states[refused]["message"]
    assert rows(lab) == [row(0)]


def test_a_suggestion_of_a_class_unknown_to_the_data_is_refused(
    lab: Settings, problem: Problem, start_api: StartApi
) -> None:
    bad = Suggestion(str(uuid4()), problem.name, dict.fromkeys(problem.columns, 1.0), "a class of a model by hand")
    store = Store(lab.database_url)
    store.suggestions.add(bad)
    store.close()
    with servers.worker(lab), start_api(lab) as api:
        (run,) = wait_for("its run", lambda: prefect_runs(lab))
        wait_until_over(lab)
        status = api.get(f"/suggest/{bad.id}").json()
    assert status["flow_run_id"] == run["id"]
    assert status["state"] == "refused"
    assert "class_name" in status["detail"]
    assert rows(lab) == []

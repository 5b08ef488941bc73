"""A correction is taken back, and soon no file and no version in service has it: the whole loop on real servers."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import mlflow
import pytest
from filelock import FileLock

from common.problem import Problem
from common.registry.client import Version
from common.settings import Settings
from common.store import Store
from finetune import finetune
from scripts.check_lab.lab_state import read_state
from scripts.check_lab.tasks import LabStep, reports
from scripts.parts import free_port, wait_for
from tests import servers
from tests.conftest import StartApi, served_version
from tests.finetune.quick_lab import do_without_prefect
from tests.test_loop import (
    SELDOM,
    ask_prefect,
    correction,
    let_wait,
    register_deployment,
    row,
    rows,
    suggest,
    versions,
    wait_for_details,
    wait_until_over,
    without_runs,
)

WHY = {"reason": "a wrong label"}


@pytest.fixture
def lab(settings: Settings, trained: Version, url: str, prefect_api_url: str) -> Iterator[Settings]:
    """A lab with version 1 and all servers, on either database."""
    assert trained.number == 1
    with without_runs(settings, prefect_api_url=prefect_api_url, database_url=url) as ready:
        yield ready


def withdrawal(api: httpx.Client, correction_id: str) -> dict[str, Any]:
    return dict(api.get(f"/corrections/{correction_id}/withdrawal").raise_for_status().json())


def wait_until_closed(api: httpx.Client, *ids: str, within: float = 120) -> list[dict[str, Any]]:
    """Return the withdrawals when all of them are closed."""

    def closed() -> list[dict[str, Any]] | None:
        found = [withdrawal(api, each) for each in ids]
        return found if all(each["closed_at"] for each in found) else None

    return wait_for("the end of the withdrawals", closed, within, every=SELDOM)


def withdraw(api: httpx.Client, correction_id: str) -> dict[str, Any]:
    return dict(api.post(f"/corrections/{correction_id}/withdraw", json=WHY).raise_for_status().json())


@pytest.mark.parametrize("url", [pytest.param("sqlite", marks=pytest.mark.thorough), "postgresql"], indirect=True)
def test_a_correction_that_is_taken_back_and_then_a_person_who_is_erased_are_in_no_version_that_answers(
    lab: Settings, start_api: StartApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trust.http.withdrawal_runs.ALIAS_SECONDS", 0.5)
    with servers.worker(lab), start_api(lab) as api:
        wait_for("version 1", lambda: served_version(api) == 1)
        person, class_name = correction(9), correction(9)["class_name"]
        del person["class_name"]
        prediction = api.post("/predict", json=person).raise_for_status().json()["prediction_id"]
        body = {**person, "class_name": class_name, "prediction_id": prediction}
        of_person = api.post("/suggest", json=body).raise_for_status().json()["suggestion_id"]
        ids = [of_person, *suggest(api, range(4))]
        wait_for_details(api, ids, "trained in version 2")
        wait_for("the new version", lambda: served_version(api) == 2, within=20)
        check_taken_back(lab, api, ids[4])
        check_erased(lab, api, prediction, of_person)
        more = suggest(api, range(10, 15))
        wait_for_details(api, more, "trained in version 5")
        runs = wait_until_over(lab)
    assert {run["state_type"] for run in runs} == {"COMPLETED"}
    assert sorted(rows(lab)) == sorted(row(number) for number in (*range(3), *range(10, 15)))
    assert versions(lab) == versions(lab, "IrisDev") == [1, 2, 3, 4, 5]


def check_taken_back(lab: Settings, api: httpx.Client, taken: str) -> None:
    """Take a correction back that version 2 has learnt, and see that version 2 cannot come back."""
    features = correction(7)
    del features["class_name"]
    assert api.post("/predict", json=features).json()["model_version"] == 2

    def counted() -> bool:
        dry = api.post(f"/corrections/{taken}/withdraw", params={"dry_run": True}, json=WHY).json()
        return bool(dry["versions"] == [{"version": 2, "answers": 1}])

    wait_for("the answer in the log", counted)
    assert withdraw(api, taken)["corrections"] == 1
    [closed] = wait_until_closed(api, taken)
    assert closed["model_version"] == 3
    assert closed["outcome"].startswith("version 3 has learnt the other corrections, and serves (")
    wait_for("the version without it", lambda: served_version(api) == 3, within=20)
    wait_until_over(lab)
    assert api.post("/models/2/promote").status_code == 409
    # A person who moves the alias in MLflow is not asked, but corrected.
    client = mlflow.MlflowClient(lab.mlflow_uri)
    for name in ("IrisDev", "IrisModel"):
        client.set_registered_model_alias(name, "champion", "2")
    wait_for("the withdrawal to be open again", lambda: withdrawal(api, taken)["closed_at"] is None)
    [closed] = wait_until_closed(api, taken)
    wait_for("a version without it", lambda: (served_version(api) or 0) > 2, within=20)
    assert api.get(f"/suggest/{taken}").json()["state"] == "withdrawn"
    assert closed["flow_run_id"] in {run["id"] for run in wait_until_over(lab)}
    assert versions(lab) == versions(lab, "IrisDev") == [1, 2, 3]
    check = {each.number: each for each in reports(read_state(lab))}
    assert (check[3].status, check[5].status) == ("done", "done")
    assert check[14].steps[0] == LabStep(done=True, said="version 3 serves without a withdrawn correction")
    assert sorted(rows(lab)) == sorted(row(number) for number in (0, 1, 2, 9))


def check_erased(lab: Settings, api: httpx.Client, prediction: str, of_person: str) -> None:
    """Erase a person whose correction version 3 has learnt."""
    assert api.delete(f"/predictions/{prediction}").is_success
    [closed] = wait_until_closed(api, of_person)
    assert (closed["erase"], closed["model_version"]) == (True, 4)
    with closing(Store(lab.database_url)) as store:
        erased = store.suggestions.get(of_person)
    assert erased
    assert (erased.features, erased.class_name, erased.source) == ({}, "", None)
    assert api.get(f"/suggest/{of_person}").json()["state"] == "withdrawn"
    assert sorted(rows(lab)) == [row(number) for number in range(3)]
    run = ask_prefect(lab, "GET", f"/flow_runs/{closed['flow_run_id']}")
    assert run["parameters"]["sepal_length"] != correction(9)["sepal_length"]


@pytest.mark.thorough
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_corrections_taken_back_before_and_after_they_were_written_are_never_learnt(
    lab: Settings, start_api: StartApi
) -> None:
    with servers.worker(lab), start_api(lab) as api:
        with FileLock(lab.data_dir / "finetune.lock"):
            ids = suggest(api, range(4))
            wait_for_details(api, ids, "delivered")
            withdraw(api, ids[0])
        wait_for_details(api, ids[1:], "waiting (3 of 5)")
        withdraw(api, ids[1])
        closed = wait_until_closed(api, ids[0], ids[1])
        wait_until_over(lab)
    assert {each["outcome"] for each in closed} == {"no version had learnt it"}
    assert sorted(rows(lab)) == [row(2), row(3)]
    assert versions(lab) == [1]


@pytest.fixture
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trust.http.withdrawal_runs.LOOK_SECONDS", 0.2)


@pytest.mark.thorough
@pytest.mark.usefixtures("looks_often")
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_withdrawals_whose_flow_run_is_cancelled_or_deleted_get_another(
    lab: Settings, problem: Problem, start_api: StartApi
) -> None:
    def run_of(api: httpx.Client, one: str, *before: str) -> str:
        def look() -> str | None:
            found: str | None = withdrawal(api, one)["flow_run_id"]
            return found if found not in before else None

        return wait_for("a flow run", look)

    register_deployment(lab)
    ids = let_wait(lab, problem, range(2))
    with start_api(lab) as api:
        withdraw(api, ids[0])
        cancelled = run_of(api, ids[0])
        state = {"state": {"type": "CANCELLED"}, "force": True}
        ask_prefect(lab, "POST", f"/flow_runs/{cancelled}/set_state", state)
        deleted = run_of(api, ids[0], cancelled)
        ask_prefect(lab, "DELETE", f"/flow_runs/{deleted}")
        last = run_of(api, ids[0], cancelled, deleted)
        with servers.worker(lab):
            wait_until_closed(api, ids[0])
        assert withdrawal(api, ids[0])["flow_run_id"] == last
    assert rows(lab) == [row(1)]


@pytest.mark.thorough
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_withdrawal_waits_for_mlflow(
    lab: Settings, problem: Problem, start_api: StartApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = let_wait(lab, problem, range(5))
    do_without_prefect(monkeypatch)
    with closing(Store(lab.database_url)) as store:
        assert finetune._train(problem, lab, store).message == "trained in version 2"
    port = free_port()
    without = lab.model_copy(update={"mlflow_uri": f"http://127.0.0.1:{port}"})
    with servers.worker(without), start_api(lab) as api:
        withdraw(api, ids[0])

        def failed() -> bool:
            run_id = withdrawal(api, ids[0])["flow_run_id"]
            found = ask_prefect(lab, "GET", f"/flow_runs/{run_id}") if run_id else {"state": {}}
            return "tried again" in (found["state"].get("message") or "")

        wait_for("a failure", failed, within=60, every=SELDOM)
        assert withdrawal(api, ids[0])["closed_at"] is None
        with servers.relay(port, lab.mlflow_uri):
            [closed] = wait_until_closed(api, ids[0])
            wait_until_over(lab)
    assert closed["model_version"] == 3
    assert versions(lab) == versions(lab, "IrisDev") == [1, 2, 3]

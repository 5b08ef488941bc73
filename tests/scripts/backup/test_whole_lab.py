"""A whole lab, with MLflow, Prefect and the worker, is saved while it learns, and comes back on other servers."""

import sqlite3
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import mlflow
import pytest

from common.problem import Problem
from common.settings import Settings
from common.signing.keys import made_key
from scripts.backup import restore, save
from scripts.parts import free_port, part, wait_for
from tests import servers
from tests.api.inference.test_prediction_log import logged, store_of
from tests.api.inference.test_prediction_log import told as told_in
from tests.conftest import offline_settings, running_api, served_version
from tests.scripts.backup.test_backup import empty_lab, in_use, key_of
from tests.test_breaking import ROWS, check_whole
from tests.test_loop import suggest, versions, wait_for_details
from training.search import train

ROOM = 10**9


def registry(lab: Settings) -> dict[str, Any]:
    """Return all versions with their tags, the aliases, and the bytes of each version's file."""
    # Downloads by `models:/` ask the registry that is set, which would be that of the training.
    mlflow.set_tracking_uri(lab.mlflow_uri)
    mlflow.set_registry_uri(lab.mlflow_uri)
    client = mlflow.MlflowClient(lab.mlflow_uri)
    found = {}
    for model in client.search_registered_models():
        for version in client.search_model_versions(f"name = '{model.name}'"):
            folder = mlflow.artifacts.download_artifacts(
                artifact_uri=f"models:/{model.name}/{version.version}", tracking_uri=lab.mlflow_uri
            )
            # MLflow notes in this file when it was downloaded.
            files = [
                path for path in Path(folder).rglob("*") if path.is_file() and path.name != "registered_model_meta"
            ]
            content = {path.name: path.read_bytes() for path in files}
            found[f"{model.name} {version.version}"] = dict(version.tags), content
    aliases = {model.name: dict(model.aliases) for model in client.search_registered_models()}
    return {"versions": found, "aliases": aliases}


def champion_in(lab: Settings) -> int:
    """Return the champion's number in the registry of a lab whose MLflow is down."""
    with closing(sqlite3.connect(lab.state_dir / "mlflow.db")) as database:
        query = "SELECT version FROM registered_model_aliases WHERE name = 'IrisModel' AND alias = 'champion'"
        [(number,)] = database.execute(query).fetchall()
    return int(number)


def answer_in(found: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of an answer that the same version gives each time."""
    return {
        name: found[name] for name in ("model_version", "class_name", "probabilities", "is_outlier", "outlier_score")
    }


def answers_of(lab: Settings, version: int) -> dict[tuple[float, ...], dict[str, Any]] | None:
    """Return the answers of a version to each of `ROWS` in a lab's log; None while one is missing."""
    with store_of(lab) as store:
        rows = [row for row in logged(store) if (row["role"], row["model_version"]) == ("champion", version)]
    found = {tuple(row["features"].values()): answer_in(row) for row in rows}
    return found if all(tuple(row) in found for row in ROWS) else None


def check_rows(back: Settings, lab: Settings, before: list[str]) -> dict[tuple[int, str], tuple[int, int]]:
    """Compare a restored log with the lab's; return the numbers of answers and ground truths by version and role."""
    with store_of(lab) as store:
        of_then = {(row["id"], row["role"]): row for row in logged(store)}
    with store_of(back) as store:
        check_whole(store)
        rows, truths = logged(store), told_in(store)
    assert all(row == of_then[row["id"], row["role"]] for row in rows)
    assert {*before} <= {row["id"] for row in rows}
    answered = Counter((row["model_version"], row["role"]) for row in rows)
    labelled = Counter((row["model_version"], row["role"]) for row in rows if row["id"] in truths)
    return {each: (answered[each], labelled[each]) for each in answered}


def check_versions(found: dict[str, Any], expected: dict[str, Any], made: set[str]) -> None:
    """See that the versions of a restored registry are the lab's to the byte, without those of after the backup."""
    assert found["versions"].keys() <= expected["versions"].keys()
    assert {name: expected["versions"][name][1] for name in found["versions"]} == {
        name: content for name, (_, content) in found["versions"].items()
    }
    assert {"IrisModel 1", "IrisModel 2"} <= found["versions"].keys() <= {*made, *(f"IrisDev {n[10:]}" for n in made)}


def check_answers(
    api: httpx.Client,
    key: str,
    counts: dict[tuple[int, str], tuple[int, int]],
    champion: int,
    given: dict[tuple[float, ...], dict[str, Any]],
) -> None:
    """See that a restored api counts what its log has, and that its champion answers as it did."""
    wait_for("the champion", lambda: served_version(api) == champion)
    models = api.get("/models", headers={"X-API-Key": key}).raise_for_status().json()["versions"]
    found = {(each["model_version"], each["role"]): (each["predictions"], each["labels"]) for each in models}
    assert found == counts
    answered = api.post("/predict", json={"data": list(ROWS)}).raise_for_status().json()["predictions"]
    assert [answer_in(each) for each in answered] == [given[tuple(row)] for row in ROWS]


@pytest.mark.thorough
def test_a_lab_that_learns_meanwhile_comes_back_with_registry_store_and_answers_and_learns_on(
    tmp_path: Path, prepared_data: Path, problem: Problem
) -> None:
    winner = [each for each in problem.candidates() if each.params == {"hidden_layers": 4, "epochs": 500}]
    lab = offline_settings(tmp_path / "lab", prepared_data)
    made_key(lab)
    archive = tmp_path / "lab.zip"
    with ExitStack() as stack:
        mlflow_port, prefect_port = free_port(), free_port()
        uri = stack.enter_context(servers.mlflow_server(lab.lab_home, mlflow_port))
        prefect = stack.enter_context(servers.prefect_server(lab.lab_home, prefect_port))
        lab = lab.model_copy(update={"mlflow_uri": uri, "prefect_api_url": prefect})
        train(replace(problem, candidates=lambda: winner), lab)
        stack.enter_context(servers.worker(lab))
        with running_api(lab) as api:
            ids = suggest(api, range(5))
            wait_for_details(api, ids, "trained in version 2")
            wait_for("the new version", lambda: served_version(api) == 2)
            key = key_of(lab)
            with in_use(api, key) as seen:
                wait_for("corrections", lambda: len(seen.suggestions) > 2)
                before = list(seen.predictions)
                wait_for(
                    "their log", lambda: api.get(f"/predictions/{before[-1]}", headers={"X-API-Key": key}).is_success
                )
                manifest = save.save(lab, archive, print)
                told, corrected = dict(seen.truths), list(seen.suggestions)
                # A version that is made from now on is not in the backup.
                made = {f"IrisModel {number}" for number in versions(lab)}
                back = empty_lab(lab, tmp_path / "back")
                restore.restore(back, archive, ROOM, print)
                champion = champion_in(back)
                given = wait_for("its answers", lambda: answers_of(lab, champion))
        expected = registry(lab)
    counts = check_rows(back, lab, before)
    assert manifest["rows"][".lab/prefect/prefect.db"]["flow_run"] > 0
    with ExitStack() as stack:
        uri = stack.enter_context(servers.mlflow_server(back.lab_home, free_port()))
        back = back.model_copy(update={"mlflow_uri": uri, "prefect_api_url": f"http://127.0.0.1:{prefect_port}/api"})
        check_versions(registry(back), expected, made)
        with running_api(back) as api:  # nobody learns yet
            headers = {"X-API-Key": key}
            check_answers(api, key, counts, champion, given)
            stack.enter_context(part("prefect", back.model_copy(update={"prefect_port": prefect_port})))
            stack.enter_context(servers.worker(back))
            known = [each for each in told if api.get(f"/predictions/{each}", headers=headers).is_success]
            assert known
            remembered = [api.get(f"/predictions/{each}", headers=headers) for each in known]
            truths = {each: response.json()[0]["truth"] for each, response in zip(known, remembered, strict=True)}
            assert all(truth in {told[each], None} for each, truth in truths.items())
            assert api.get(f"/suggest/{ids[0]}", headers=headers).json()["model_version"] == 2
            # Corrections that were on their way then are learnt now.
            there = [each for each in corrected if api.get(f"/suggest/{each}", headers=headers).is_success]
            ends = {"trained", "waiting", "quarantined", "refused"}
            for each in there:
                answer = partial(api.get, f"/suggest/{each}", headers=headers)
                wait_for("its end", lambda answer=answer: answer().json()["state"] in ends, within=120)  # type: ignore[misc]

"""A whole lab, with MLflow, Prefect and the worker, is saved while it learns, and comes back on other servers."""

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import pytest

from common.problem import Problem
from common.settings import Settings
from common.signing.keys import made_key
from scripts.backup import restore, save
from scripts.parts import free_port, part, wait_for
from tests import servers
from tests.conftest import offline_settings, running_api, served_version
from tests.scripts.backup.test_backup import answers, empty_lab, in_use, key_of
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
                manifest = save.save(lab, archive, print)
                told, corrected = dict(seen.truths), list(seen.suggestions)
            # A version that was made after the backup is not in it.
            made = {f"IrisModel {number}" for number in versions(lab)}
        expected = registry(lab)
    back = empty_lab(lab, tmp_path / "back")
    restore.restore(back, archive, ROOM, print)
    assert manifest["rows"][".lab/prefect/prefect.db"]["flow_run"] > 0
    with ExitStack() as stack:
        uri = stack.enter_context(servers.mlflow_server(back.lab_home, free_port()))
        back = back.model_copy(update={"mlflow_uri": uri, "prefect_api_url": f"http://127.0.0.1:{prefect_port}/api"})
        found = registry(back)
        assert found["versions"].keys() <= expected["versions"].keys()
        assert {name: expected["versions"][name][1] for name in found["versions"]} == {
            name: content for name, (_, content) in found["versions"].items()
        }
        assert (
            {"IrisModel 1", "IrisModel 2"} <= found["versions"].keys() <= {*made, *(f"IrisDev {n[10:]}" for n in made)}
        )
        stack.enter_context(part("prefect", back.model_copy(update={"prefect_port": prefect_port})))
        stack.enter_context(servers.worker(back))
        with running_api(back) as api:
            headers = {"X-API-Key": key}
            wait_for("the champion", lambda: served_version(api) is not None)
            known = [each for each in told if api.get(f"/predictions/{each}", headers=headers).is_success]
            assert known
            remembered = [api.get(f"/predictions/{each}", headers=headers) for each in known]
            truths = {each: response.json()[0]["truth"] for each, response in zip(known, remembered, strict=True)}
            assert all(truth in {told[each], None} for each, truth in truths.items())
            assert answers(api, known[:3], key)
            assert api.get(f"/suggest/{ids[0]}", headers=headers).json()["model_version"] == 2
            # Corrections that were on their way then are learnt now.
            there = [each for each in corrected if api.get(f"/suggest/{each}", headers=headers).is_success]
            ends = {"trained", "waiting", "quarantined", "refused"}
            for each in there:
                answer = partial(api.get, f"/suggest/{each}", headers=headers)
                wait_for("its end", lambda answer=answer: answer().json()["state"] in ends, within=120)  # type: ignore[misc]

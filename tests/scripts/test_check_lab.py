"""`make check-lab` sees in the state of a lab which tasks of docs/lab.md are done, and leaves the state as it is."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import mlflow
import pytest

from common.problem import Problem
from common.registry.client import Version
from common.settings import Settings
from common.store import Store, StoreError
from common.store.judgements import JudgementRecord
from common.store.trust.replays import ReplaySpan
from scripts.check_lab.lab_state import LabState, data_files, read_state
from scripts.check_lab.store_traces import read_only, traces
from scripts.check_lab.tasks import PAGE, TASKS, TaskReport, reports, titles
from scripts.stack import process_environment
from tests.common.store.rows import NOON, SETOSA, VIRGINICA, prediction, shadow, suggestion
from tests.common.store.trust.test_reviews import APPROVE, REJECT, add, decide, vet
from tests.conftest import RegisterByHand
from tests.programs import error_line, run_python
from tests.test_project import written


def by_number(lab: LabState) -> dict[int, TaskReport]:
    return {each.number: each for each in reports(lab)}


def statuses(lab: LabState) -> dict[int, str]:
    return {number: each.status for number, each in by_number(lab).items()}


def state(settings: Settings, project: Path) -> LabState:
    """Read the state of a lab whose code is in a folder without a demo and without DVC's files."""
    return read_state(settings, project)


def with_store(lab: LabState, store: Store, problem: Problem) -> Mapping[int, TaskReport]:
    return by_number(replace(lab, store=traces(store, problem)))


def test_each_task_of_the_page_has_a_check() -> None:
    assert list(titles()) == list(range(1, len(TASKS) + 1))
    assert len(re.findall(r"^## ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)) == len(TASKS)


def test_in_a_new_lab_nothing_is_done_and_the_check_leaves_no_file(offline: Settings, tmp_path: Path) -> None:
    before = written(offline.lab_home)
    found = by_number(state(offline, tmp_path / "code"))
    assert written(offline.lab_home) == before
    unseen = {number for number, each in found.items() if each.status == "not seen"}
    assert unseen == {3, 9, 11, 15}
    assert {each.status for number, each in found.items() if number not in unseen} == {"not yet"}
    assert "no .demo/demo.png" in found[1].line
    assert "0 of at least 5 are sent" in found[5].line


def test_what_people_did_is_seen_in_the_store(
    store: Store, offline: Settings, problem: Problem, tmp_path: Path
) -> None:
    lab = state(offline, tmp_path / "code")
    outlying = prediction("p3")
    outlying["is_outlier"] = True
    rows = [prediction("p1"), shadow("p1"), prediction("p2"), outlying]
    store.predictions.write(rows)
    done = with_store(lab, store, problem)
    assert (done[4].status, done[6].status, done[7].status) == ("begun", "begun", "begun")
    store.feedback.give("p1", VIRGINICA)
    for number in (1, 2, 1):
        store.champions.note("IrisModel", number)
    done = with_store(lab, store, problem)
    assert (done[4].status, done[6].status) == ("done", "done")
    assert (
        done[7].line
        == "missing: a promotion: `POST /models/NUMBER/promote`; a rollback: `POST /models/NUMBER/rollback`"
    )
    store.champions.note("IrisModel", 2, "promoted", "the judge's reason")
    store.champions.note("IrisModel", 1, "rolled back")
    assert "a promotion" in with_store(lab, store, problem)[7].line
    store.champions.note("IrisModel", 2, "promoted")
    store.trust.replays.request(1, ReplaySpan("iris", NOON, datetime.now(UTC)))
    assert with_store(lab, store, problem)[7].status == "done"


def test_corrections_are_seen_until_they_are_learnt_and_taken_back(
    store: Store, offline: Settings, problem: Problem, tmp_path: Path
) -> None:
    lab = state(offline, tmp_path / "code")
    add(store, "abcdefg")
    assert "7 are sent; ask `GET /suggest/ID`" in with_store(lab, store, problem)[5].line
    store.suggestions.trained(list("fg"), 2)
    for name, rule in zip("abc", ("improbable", "outlier", "contradiction"), strict=True):
        vet(store, name, rule)
    vet(store, "d", "known", "known")
    decide(store, "a", REJECT)
    done = with_store(lab, store, problem)
    assert done[5].line == "versions that have learnt corrections: 2"
    assert done[13].line == "missing: a correction that you approved"
    decide(store, "c", APPROVE)
    assert with_store(lab, store, problem)[13].status == "done"
    store.suggestions.quarantine(["f"], "version 2 had learnt it, and was taken back")
    verdict = JudgementRecord(str(uuid4()), "iris", datetime.now(UTC), "refused", None, "refitted", {})
    store.judgements.add(verdict)
    assert with_store(lab, store, problem)[12].status == "done"
    store.predictions.write([prediction("p1", SETOSA)])
    store.trust.withdrawals.request("iris", ["g"], str(uuid4()), "key", "a mistake")
    store.trust.erasures.erase("p1", "key")
    assert with_store(lab, store, problem)[14].status == "begun"
    store.trust.withdrawals.close("iris", {"g": "version 3 has learnt the other corrections, and serves"}, 3)
    done = with_store(lab, store, problem)
    assert done[14].line == "version 3 serves without a withdrawn correction; erased predictions: 1"


def test_a_store_is_read_while_others_write_and_nothing_in_it_changes(url: str, problem: Problem) -> None:
    with closing(Store(url)) as store:
        store.suggestions.add(suggestion("a"))
        with read_only(url) as copy:
            store.suggestions.add(suggestion("b"))
            assert traces(copy, problem).corrections == (1 if url.startswith("sqlite") else 2)
        if url.startswith("postgresql"):
            with read_only(url) as same, pytest.raises(StoreError, match="read-only"):
                same.suggestions.add(suggestion("c"))


def test_a_sqlite_file_of_an_older_lab_is_read_and_not_upgraded(sqlite_url: str, problem: Problem) -> None:
    Store(sqlite_url).close()
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TABLE replays")
        connection.commit()
    before = written(file.parent), file.read_bytes()
    with read_only(sqlite_url) as store:
        assert not traces(store, problem).replayed
    assert (written(file.parent), file.read_bytes()) == before


def test_a_file_that_is_no_database_is_an_error_of_one_line(offline: Settings) -> None:
    (offline.lab_home / "data" / "lab.db").write_bytes(b"no database" * 1_000)
    environment = {**process_environment(offline), "PYTHONDONTWRITEBYTECODE": "1"}
    said = error_line(run_python("-m", "scripts.check_lab", environment=environment))
    assert said.startswith("check_lab: the store at ")
    assert "cannot be read: " in said


def test_versions_are_seen_in_the_registry(
    settings: Settings, trained: Version, register_by_hand: RegisterByHand, tmp_path: Path
) -> None:
    found = by_number(state(settings, tmp_path / "code"))
    assert found[3].line == "versions of training: 1; champion: version 1"
    assert "a second version" in found[4].line
    number = register_by_hand(b"no model")
    client = mlflow.MlflowClient(settings.mlflow_uri)
    client.set_model_version_tag(trained.name, str(number), "serving_refused", "it is no model")
    steps = by_number(state(settings, tmp_path / "code"))[12].steps
    assert f"versions that do not serve: {number}" in [each.said for each in steps if each.done]


def test_the_files_are_compared_with_dvc_lock_and_with_the_remote(
    tmp_path: Path, prepared_data: Path, offline: Settings
) -> None:
    code = tmp_path / "code"
    shutil.copytree(prepared_data, code / "data" / "iris")
    pipeline = {
        "stages": {
            "preprocess": {
                "matrix": {"problem": ["iris"]},
                "cmd": "cp data/iris/data.csv data/iris/train.csv && cp data/iris/data.csv data/iris/test.csv",
                "deps": ["data/iris/data.csv"],
                "outs": ["data/iris/train.csv", "data/iris/test.csv"],
            }
        }
    }
    (code / "dvc.yaml").write_text(json.dumps(pipeline), encoding="utf-8")

    def dvc(*arguments: str) -> None:
        command = [sys.executable, "-m", "dvc", *arguments]
        subprocess.run(command, cwd=code, check=True, capture_output=True, env=process_environment(offline))

    dvc("init", "--no-scm", "--quiet")
    dvc("repro", "--quiet")
    lab = offline.model_copy(update={"lab_home": code})
    found = data_files(lab, code)
    assert (found.missing, found.changed, found.remote) == ([], [], None)
    assert found.rows == (149, 149)
    dvc("remote", "add", "--local", "--default", "storage", str(tmp_path / "storage"))
    assert data_files(lab, code).pushed is False
    dvc("add", "data/iris/data.csv", "--quiet")
    dvc("push", "--quiet")
    assert data_files(lab, code).pushed is True
    (code / "data" / "iris" / "train.csv").write_text("5.1\n", encoding="utf-8")
    (code / "data" / "iris" / "test.csv").unlink()
    found = data_files(lab, code)
    assert (found.missing, found.changed, found.rows) == (["test.csv"], ["train.csv"], None)
    dvc("remote", "add", "--local", "--default", "--force", "storage", "s3://bucket/lab")
    assert data_files(lab, code).pushed is None


def test_a_lab_with_state_is_not_cleaned_up(offline: Settings, tmp_path: Path) -> None:
    code = tmp_path / "code"
    assert statuses(state(offline, code))[15] == "not seen"
    (code / ".demo").mkdir(parents=True)
    (code / ".demo" / "demo.png").touch()
    found = by_number(state(offline, code))
    assert (found[1].status, found[15].line) == ("done", "missing: `make clean`: .demo is there")


def test_the_command_prints_a_line_for_each_task_or_json(offline: Settings) -> None:
    environment = process_environment(offline)
    ended = run_python("-m", "scripts.check_lab", environment=environment)
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert [line[4:].startswith(title) for line, title in zip(lines, titles().values(), strict=False)] == [True] * 15
    assert lines[-2].startswith("MLflow does not answer: ")
    found = json.loads(run_python("-m", "scripts.check_lab", "--json", environment=environment).stdout)
    assert found["problem"] == "iris"
    assert [(each["number"], each["title"]) for each in found["tasks"]] == list(titles().items())
    assert {each["status"] for each in found["tasks"]} <= {"done", "begun", "not yet", "not seen"}
    assert all(step.keys() == {"done", "said"} for each in found["tasks"] for step in each["steps"])

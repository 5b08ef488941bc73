"""Projects as students hand them in, made of the lesson's solution, and their grading on shared servers."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pytest

from common.settings import PROJECT
from lesson.grading.criteria import HOUSE
from lesson.grading.data_task import FILES
from lesson.grading.grade import Conditions, grade
from lesson.grading.limits import TimeLimits
from lesson.grading.marks import MarkSheet
from lesson.grading.raw_data import raw_csv, usable_rows
from lesson.start import start
from tests.lesson.faults import Fault
from tests.programs import output_of, run_python

SOLUTION = PROJECT / "lesson" / "solution"
CACHES = shutil.ignore_patterns("__pycache__", ".mypy_cache", ".ruff_cache")
# Servers answer quickly here, so that a mistake which shows by silence is found sooner than in a student's folder.
WAITS = {"scrape": 10.0, "follow": 10.0, "correction": 10.0}


@dataclass(frozen=True)
class Solved:
    """A project with the solution, and the files that its task 1 makes of the grader's data."""

    project: Path
    prepared: Path


@pytest.fixture(scope="session")
def solved(tmp_path_factory: pytest.TempPathFactory) -> Solved:
    home = tmp_path_factory.mktemp("home")
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": "", "DVC_NO_ANALYTICS": "1"}
    project = start(tmp_path_factory.mktemp("students") / "solution")
    shutil.copytree(SOLUTION, project, dirs_exist_ok=True, ignore=CACHES)
    for command in ("git init -q", "dvc init -q", "python get_data.py", "dvc add -q data/data.csv", "git add -A"):
        output_of(command.split(), environment, project)
    prepared = tmp_path_factory.mktemp("prepared") / "data"
    prepared.mkdir()
    (prepared / "data.csv").write_text(raw_csv(usable_rows()), encoding="utf-8")
    ended = run_python(str(project / "preprocess.py"), environment=environment, folder=prepared.parent)
    assert not ended.returncode, ended.stderr
    assert all((prepared / name).is_file() for name in FILES)
    return Solved(project, prepared)


def copied(solved: Solved, folder: Path) -> Path:
    shutil.copytree(solved.project, folder)
    return folder


@pytest.fixture
def with_fault(solved: Solved, tmp_path: Path) -> Callable[[Fault], Path]:
    """Return a project with the planted mistake of a fault."""

    def make(fault: Fault) -> Path:
        project = copied(solved, tmp_path / "student")
        for edit in fault.edits:
            edit.apply(project)
        output_of(["git", "add", "-A"], dict(os.environ), project)
        return project

    return make


def delete_versions(uri: str, after: int = 0) -> None:
    client = mlflow.MlflowClient(uri)
    for model in client.search_registered_models():
        for version in client.search_model_versions(f"name = '{model.name}'"):
            if int(version.version) > after:
                client.delete_model_version(model.name, version.version)
        if not after:
            client.delete_registered_model(model.name)


@pytest.fixture(scope="module")
def trained(solved: Solved, mlflow_uri: str) -> Conditions:
    """The conditions of gradings that begin with version 1 of the solution's model."""
    delete_versions(mlflow_uri)
    folder = solved.project
    environment = {**os.environ, "PYTHONPATH": "", "MLFLOW_URL": mlflow_uri}
    ended = run_python(str(folder / "main.py"), environment=environment, folder=solved.prepared.parent)
    assert not ended.returncode, ended.stderr
    return Conditions(TimeLimits(**WAITS), mlflow_uri, prepared=solved.prepared, trained=True)


def failed(marks: MarkSheet) -> dict[str, str]:
    """Return what was seen of each criterion that failed."""
    return {mark.criterion.key: mark.seen for mark in marks.marks() if mark.state == "failed"}


def assert_found(fault: Fault, marks: MarkSheet) -> None:
    """Check that exactly the criteria of a fault fail, each with its words and with advice."""
    seen = failed(marks)
    assert seen.keys() == fault.finds.keys(), seen
    assert {key: seen[key] for key, words in fault.finds.items() if words not in seen[key]} == {}
    assert all(mark.advice for mark in marks.marks() if mark.state == "failed")


def graded(project: Path, tasks: Sequence[int], given: Conditions) -> MarkSheet:
    marks, _ = grade(project, tasks, given=given, say=print)
    assert HOUSE in marks.tasks
    return marks

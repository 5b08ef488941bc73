"""The starting project, as `python -m lesson start` writes it."""

import hashlib
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from common.settings import PROJECT
from lesson.start import StartError, start
from tests.programs import error_line, run_python

LESSON = PROJECT / "lesson"
# Lines that say nothing about how a task is solved, and lines of the layout that the tasks give.
GIVEN = re.compile(r"import |from |def |class |if __name__|\"\"\"|#|FROM |WORKDIR |- name:|- ./grafana|ports:|image:")
SHORTEST = 20  # characters of a line that could give something away


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return start(tmp_path / "my-lab")


def code(folder: Path) -> set[str]:
    """Return the lines of a project's files that a student would write.

    docker-compose.yaml is left out: the service of MLflow is given, and no other service is in it.
    """
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*")) if is_text(path)]
    lines = {line.strip() for text in texts for line in text.splitlines()}
    return {line for line in lines if len(line) >= SHORTEST and not GIVEN.match(line)}


def is_text(path: Path) -> bool:
    texts = {".py", ".yml", ".yaml", ".json"}
    return path.name != "docker-compose.yaml" and (path.suffix in texts or path.name == "Dockerfile")


def test_the_project_has_every_file_and_nothing_is_left_beside_it(project: Path) -> None:
    written = {str(path.relative_to(project)) for path in project.rglob("*") if path.is_file()}
    assert written >= {
        ".github/workflows/check.yml", ".gitignore", "Makefile", "api/Dockerfile", "api/api.py", "docker-compose.yaml",
        "finetune.py", "get_data.py", "grade.ps1", "main.py", "preprocess.py", "prometheus.yml", "pyproject.toml",
        "tasks.md",
    }  # fmt: skip
    assert "@LAB@" not in "".join((project / name).read_text(encoding="utf-8") for name in ("Makefile", "grade.ps1"))
    assert list(project.parent.iterdir()) == [project]
    assert project.stat().st_mode & 0o777 == (PROJECT / "lesson").stat().st_mode & 0o777


def test_an_empty_folder_may_be_there_already(tmp_path: Path) -> None:
    (tmp_path / "my-lab").mkdir()
    assert (start(tmp_path / "my-lab") / "main.py").is_file()


def test_a_folder_that_is_not_empty_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "my-lab").mkdir()
    (tmp_path / "my-lab" / "main.py").write_text("mine\n", encoding="utf-8")
    ended = run_python("-m", "lesson", "start", str(tmp_path / "my-lab"))
    assert error_line(ended) == f"lesson: {tmp_path}/my-lab: is not empty; choose a new folder"
    assert [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file()] == ["mine\n"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("file", "is no folder"), ("missing/my-lab", "there is no folder"), ("x" * 300, "cannot be written")],
)
def test_a_place_that_cannot_be_used_gets_nothing(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=reason):
        start(tmp_path / name)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_project_inside_the_lab_is_refused() -> None:
    with pytest.raises(StartError, match="inside the lab"):
        start(PROJECT / "my-lab")
    assert not (PROJECT / "my-lab").exists()


def test_grading_runs_the_lesson_of_the_lab_wherever_that_is(tmp_path: Path) -> None:
    lab = tmp_path / "the lab #1, $HOME 'n"
    (lab / "lesson").mkdir(parents=True)
    (lab / "lesson" / "__main__.py").write_text("import sys; print(sys.argv[1:])\n", encoding="utf-8")
    project = start(tmp_path / "my-lab", lab)
    (project / "lesson.py").write_text("raise AssertionError('the project has a file of this name')\n")
    command = ["make", "--silent", "grade", "ONLY=2", "ARGS=--json out.json"]
    ended = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=60)
    assert ended.stdout == "['grade', '--only', '2', '--json', 'out.json']\n", ended.stderr


@pytest.mark.parametrize(("name", "task"), [("preprocess.py", 1), ("main.py", 2), ("finetune.py", 5)])
def test_an_unwritten_program_names_its_task(project: Path, name: str, task: int) -> None:
    ended = run_python(name, folder=project)
    assert error_line(ended) == f"{name} is not written yet: see task {task} in tasks.md"


def test_the_unwritten_service_can_be_imported(project: Path) -> None:
    names = "app, init, state, PredictInput, PredictOutput, Settings"
    environment = {**os.environ, "PYTHONPATH": ""}
    ended = run_python("-c", f"from api.api import {names}; Settings()", folder=project, environment=environment)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_nothing_in_the_project_gives_a_solution_away(project: Path) -> None:
    answers = code(LESSON / "solution")
    given = code(project)
    assert len(answers) > 120
    assert answers & given == set()


def test_the_raw_data_are_untidy_and_always_the_same(project: Path) -> None:
    assert run_python("get_data.py", folder=project).stdout == f"{Path('data/data.csv')}: 155 rows\n"
    content = (project / "data" / "data.csv").read_bytes()
    assert hashlib.md5(content, usedforsecurity=False).hexdigest() == "8a5a9fa9864cc2b92364018adb9a367f"
    rows = content.decode().splitlines()[1:]
    values = [row.split(",") for row in rows]
    assert len(set(rows)) == 153
    assert sum(not re.fullmatch(r"[\d.]+", value) for row in values for value in row[:4]) == 3
    assert [row[4] for row in values].count("") == 1


def test_the_lab_has_every_package_that_the_project_names(project: Path) -> None:
    names = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    names += (project / "api" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(name) for name in names]
    assert len(requirements) > 15
    assert [str(each) for each in requirements if version(each.name) not in each.specifier] == []


@pytest.mark.parametrize("folder", ["project", "solution"])
def test_compose_accepts_the_services(folder: str) -> None:
    command = [str(Path(sys.executable).with_name("docker-compose")), "config", "--services"]
    ended = subprocess.run(command, cwd=LESSON / folder, capture_output=True, text=True, check=False, timeout=60)
    services = {"project": {"mlflow"}, "solution": {"mlflow", "api", "prometheus", "grafana"}}
    assert (set(ended.stdout.split()), ended.stderr) == (services[folder], "")

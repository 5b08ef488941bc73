"""`make data`, and how `make train` and `make up` begin: in a copy of the project, by DVC itself."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from filelock import FileLock

from common.settings import PROJECT, Settings
from scripts.demo_copy import copy_project
from scripts.parts import wait_for
from tests.programs import Ended, error_line, run_python

COMMAND = [sys.executable, "-m", "scripts.prepare"]
WAITING = "waiting: another command prepares data …\n"
ROWS = "iris: 120 rows in train.csv, 30 rows in test.csv\n"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fresh") / "lab"
    copy_project(folder)
    return folder


@pytest.fixture
def folder(fresh: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the project of the test's own, without data."""
    shutil.copytree(fresh, tmp_path / "lab", symlinks=True)
    yield tmp_path / "lab"
    shutil.rmtree(tmp_path / "lab")


def environment(folder: Path, problem: str = "iris") -> dict[str, str]:
    names = {name.upper() for name in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name not in names}
    outside = {f"DVC_{name}": str(folder.parent / name) for name in ("SITE_CACHE_DIR", "GLOBAL_CONFIG_DIR")}
    return {**kept, **outside, "PROBLEM": problem, "DVC_NO_ANALYTICS": "1"}


def prepare(folder: Path, problem: str = "iris", arguments: Sequence[str] = ()) -> Ended:
    return run_python(*COMMAND[1:], *arguments, environment=environment(folder, problem), folder=folder)


def test_the_chosen_problem_is_prepared_alone_and_the_second_time_nothing_is_done(folder: Path) -> None:
    ended = prepare(folder)
    written = folder / "data" / "iris" / "data.csv"
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{written}: written\n{ROWS}", "")
    assert sorted(path.parent.name for path in (folder / "data").rglob("*.csv")) == ["iris"] * 4
    assert (folder / "dvc.lock").read_bytes() == (PROJECT / "dvc.lock").read_bytes()
    again = prepare(folder)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_a_second_command_says_that_it_waits_and_goes_on_when_the_first_is_done(folder: Path) -> None:
    (folder / ".lab").mkdir()
    output = folder.parent / "output"
    with FileLock(folder / ".lab" / "data.lock"), output.open("w") as file:
        second = subprocess.Popen(COMMAND, cwd=folder, env=environment(folder), stdout=file, stderr=file)
        wait_for("the second command", lambda: output.read_text() == WAITING)
        assert second.poll() is None
    assert second.wait(timeout=60) == 0
    assert output.read_text().startswith(WAITING)
    assert output.read_text().endswith(ROWS)


def test_conflict_marks_in_the_lock_are_an_error_with_advice(folder: Path) -> None:
    text = (folder / "dvc.lock").read_text(encoding="utf-8")
    (folder / "dvc.lock").write_text(f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> theirs\n", encoding="utf-8")
    ended = prepare(folder)
    assert ended.returncode == 1
    assert "'./dvc.lock' is invalid (possible merge conflicts)" in ended.stderr
    assert ended.stderr.splitlines()[-1] == (
        "prepare: dvc.lock has conflict marks: `git checkout --ours dvc.lock`, then the same command again; "
        "DVC writes it anew"
    )


def test_bad_data_are_reported_by_preprocess_and_by_dvc(folder: Path) -> None:
    data = folder / "data" / "iris" / "data.csv"
    data.write_text("5.1,3.5,1.4,0.2,Iris-japonica\n", encoding="utf-8")
    ended = prepare(folder)
    assert ended.returncode == 1
    assert ended.stdout.startswith(f"preprocess: {data}, row 1, column class: unknown label 'Iris-japonica'")
    assert "failed to reproduce 'preprocess@iris'" in ended.stderr
    assert ended.stderr.splitlines()[-1] == "prepare: `dvc repro preprocess@iris` ended with code 255"


def test_a_problem_that_dvc_does_not_know_is_an_error_with_the_line_to_add(folder: Path) -> None:
    expected = "prepare: problem wine is not in params.yaml: add the line `  - wine` at its end"
    assert error_line(prepare(folder, "wine")) == expected


@pytest.mark.parametrize("arguments", [[], ["--all"]])
@pytest.mark.parametrize("content", ["<<<<<<< HEAD\nproblems:\n  - iris\n", "", "problems: iris\n", "problems: [1]\n"])
def test_a_damaged_list_of_problems_is_an_error_of_one_line(folder: Path, content: str, arguments: list[str]) -> None:
    (folder / "params.yaml").write_text(content, encoding="utf-8")
    line = error_line(prepare(folder, arguments=arguments))
    assert line.startswith(f"prepare: {folder / 'params.yaml'}")


@pytest.mark.parametrize(
    ("target", "command"),
    [("data", "scripts.prepare --all"), ("train", "scripts.prepare\n"), ("up", "scripts.prepare\n")],
)
def test_make_prepares_all_problems_only_where_it_is_asked_to(target: str, command: str) -> None:
    made = subprocess.run(["make", "--dry-run", target], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert f"python -m {command}" in made.stdout
    assert "get_data" not in made.stdout

"""The data pipeline, run by DVC itself in a copy of the project."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from common.settings import PROJECT
from scripts.demo_copy import copy_project
from tests.programs import output_of

FILES = ("classes.json", "data.csv", "later.csv", "test.csv", "train.csv")


class Lab:
    """A copy of the project, and the commands that people run in it."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.data = folder / "data" / "iris"
        self._environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "LAB_HOME": str(folder),
            "PROBLEM": "iris",
            # DVC's files outside of the project belong to the test, too.
            "DVC_SITE_CACHE_DIR": str(home / "site"),
            "DVC_GLOBAL_CONFIG_DIR": str(home / "config"),
            "DVC_SYSTEM_CONFIG_DIR": str(home / "system"),
            "DVC_NO_ANALYTICS": "1",
        }

    def run(self, *command: str) -> str:
        """Run a command that has to succeed; return what it printed."""
        return output_of(command, self._environment, self.folder)

    def files(self) -> dict[str, tuple[bytes, int]]:
        """Return content and time of writing of each data file that is there."""
        paths = [self.data / name for name in FILES]
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths if path.exists()}

    def contents(self) -> dict[str, bytes]:
        return {name: content for name, (content, _) in self.files().items()}


def yaml(path: Path) -> Any:
    return YAML(typ="safe").load(path)


@pytest.fixture(scope="module")
def prepared_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project after `get_data` and `dvc repro`."""
    folder = tmp_path_factory.mktemp("dvc") / "lab"
    copy_project(folder)
    lab = Lab(folder, folder.parent)
    lab.run("python", "-m", "scripts.get_data", "--all")
    lab.run("dvc", "repro")
    return folder


@pytest.fixture
def lab(prepared_once: Path, tmp_path: Path) -> Iterator[Lab]:
    """A prepared copy of the test's own."""
    folder = tmp_path / "lab"
    shutil.copytree(prepared_once, folder, symlinks=True)
    yield Lab(folder, tmp_path)
    shutil.rmtree(folder)


def test_the_committed_lock_equals_that_of_a_fresh_repro(lab: Lab) -> None:
    assert tuple(sorted(lab.contents())) == FILES
    assert (lab.folder / "dvc.lock").read_bytes() == (PROJECT / "dvc.lock").read_bytes()
    committed = PROJECT / "data" / "iris" / "data.csv.dvc"
    assert (lab.data / "data.csv.dvc").read_bytes() == committed.read_bytes()


def test_a_second_repro_does_nothing(lab: Lab) -> None:
    before = lab.files()
    output = lab.run("dvc", "repro")
    assert "Data and pipelines are up to date" in output
    assert "Running stage" not in output
    assert lab.files() == before
    assert "up to date" in lab.run("dvc", "status")


def test_other_data_are_split_again(lab: Lab) -> None:
    before = lab.contents()
    with (lab.data / "data.csv").open("a", encoding="utf-8") as file:
        file.write("5.0,3.0,1.5,0.2,Iris-setosa\n" * 5)
    assert "Running stage 'preprocess@iris'" in lab.run("dvc", "repro")
    after = lab.contents()
    assert after["train.csv"].count(b"\n") + after["test.csv"].count(b"\n") == 155
    assert after["train.csv"] != before["train.csv"]


def test_every_file_that_the_split_depends_on_is_watched(lab: Lab) -> None:
    watched = ("preprocess.py", "problems/iris.py", "common/problem.py", "common/table.py")
    for script in watched:
        with (lab.folder / script).open("a", encoding="utf-8") as file:
            file.write("# touched\n")
    status = lab.run("dvc", "status", "preprocess@iris")
    assert sorted(line.split()[1] for line in status.splitlines() if "modified:" in line) == sorted(watched)


def test_a_lost_output_is_brought_back(lab: Lab) -> None:
    before = lab.contents()
    (lab.data / "train.csv").unlink()
    lab.run("dvc", "repro")
    assert lab.contents() == before


def test_bad_data_stop_repro_and_leave_the_old_files(lab: Lab) -> None:
    before = lab.contents()
    bad = before["data.csv"] + b"5.1,3.5,1.4,0.2,Iris-japonica\n"
    (lab.data / "data.csv").write_bytes(bad)
    with pytest.raises(AssertionError, match="row 151, column class: unknown label 'Iris-japonica'"):
        lab.run("dvc", "repro")
    left = lab.contents()
    # DVC takes the outputs of a stage away before it runs it: what is there may be missing, never half-written.
    assert left.pop("data.csv") == bad
    assert left.items() <= before.items()


def test_dvc_lists_exactly_the_files_of_each_problem(lab: Lab) -> None:
    problems = sorted(yaml(PROJECT / "params.yaml")["problems"])
    expected = [f"data/{problem}/{name}" for problem in problems for name in FILES]
    assert lab.run("dvc", "ls", "-R", "--dvc-only", ".").split() == expected


def test_push_and_pull_bring_lost_data_back(lab: Lab, tmp_path: Path) -> None:
    before = lab.contents()
    lab.run("dvc", "remote", "add", "--local", "-d", "storage", str(tmp_path / "storage"))
    assert (lab.folder / ".dvc" / "config").read_bytes() == (PROJECT / ".dvc" / "config").read_bytes()
    lab.run("dvc", "push")
    for name in FILES:
        (lab.data / name).unlink()
    shutil.rmtree(lab.folder / ".dvc" / "cache")
    assert lab.contents() == {}
    lab.run("dvc", "pull")
    assert lab.contents() == before


def test_data_are_kept_from_git_and_their_records_are_not() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "data", ".dvc", "dvc.yaml", "dvc.lock"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert {"data/iris/data.csv.dvc", "dvc.yaml", "dvc.lock", ".dvc/config"} <= set(tracked)
    assert [name for name in tracked if name.endswith((".csv", ".json", ".db"))] == []

"""The demo, as `make demo` runs it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from common.settings import PROJECT, Settings
from scripts.demo import DEMO, copy_project
from scripts.parts import free_port
from scripts.stack import process_environment
from tests.scripts.test_stack import processes_of


def test_the_copy_holds_the_files_of_git_and_no_state(tmp_path: Path) -> None:
    target = tmp_path / "copy"
    target.mkdir()
    (target / "left-over").touch()
    copy_project(target)
    assert (target / "dvc.yaml").read_bytes() == (PROJECT / "dvc.yaml").read_bytes()
    assert not (target / "left-over").exists()
    assert not (target / ".lab").exists()
    assert not list(target.glob("data/*/*.csv"))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    settings = Settings(
        lab_home=elsewhere,
        mlflow_port=free_port(),
        prefect_port=free_port(),
        api_port=free_port(),
        monitor_port=free_port(),
        problem="iris",
    )
    return subprocess.run(
        [sys.executable, "-m", "scripts.demo"],
        cwd=PROJECT, env=process_environment(settings), capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def tracked_files() -> str:
    return _changes()


def _changes() -> str:
    return subprocess.run(["git", "diff"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout


def test_the_demo_closes_the_loop_and_shows_both_versions(
    tracked_files: str, demo: subprocess.CompletedProcess[str]
) -> None:
    assert demo.returncode == 0, demo.stderr + demo.stdout
    assert "IrisModel version 1 (trained)" in demo.stdout
    assert "IrisModel version 2 (fine-tuned)" in demo.stdout
    assert "served without a restart" in demo.stdout
    assert re.search(r"http://127\.0\.0\.1:\d+/\?problem=iris$", demo.stdout, re.MULTILINE)
    assert _changes() == tracked_files
    assert not processes_of(DEMO)

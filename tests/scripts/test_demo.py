"""The demo, as `make demo` runs it."""

import re
import subprocess
from pathlib import Path

import pytest

from common.settings import PROJECT, Settings
from scripts.demo import DEMO, copy_project
from scripts.stack import process_environment
from tests.programs import Ended, run_python
from tests.scripts.test_stack import processes_of
from tests.servers import free_ports

LAB = PROJECT / "docs" / "lab.md"


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
def demo(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    settings = Settings(lab_home=tmp_path_factory.mktemp("elsewhere"), problem="iris", **free_ports())
    return run_python("-m", "scripts.demo", environment=process_environment(settings))


@pytest.fixture(scope="module")
def tracked_files() -> str:
    return _changes()


def _changes() -> str:
    return subprocess.run(["git", "diff"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout


def test_the_demo_closes_the_loop_and_changes_no_tracked_file(tracked_files: str, demo: Ended) -> None:
    assert demo.returncode == 0, demo.stderr + demo.stdout
    assert "version 1 serves" in demo.stdout
    assert "version 2 serves" in demo.stdout
    assert "without a restart" in demo.stdout
    assert re.search(r"http://127\.0\.0\.1:\d+/\?problem=iris$", demo.stdout, re.MULTILINE)
    assert _changes() == tracked_files
    assert not processes_of(DEMO)


def test_the_accuracy_falls_with_the_world_and_comes_back_with_version_3_and_a_liar_does_no_harm(demo: Ended) -> None:
    rows = re.findall(r"^│ +\d+ +│ +([^│]+?) +│.*│ +(\d+\.\d)% of \d+ rows +│$", demo.stdout, re.MULTILINE)
    right = {event: float(percent) for event, percent in rows}
    assert right["petals 25 % too long"] < 85 < right["version 3 serves"]
    assert right["a liar's corrections"] > 85
    assert "accuracy in the window: " in demo.stdout
    assert (DEMO / "demo.png").read_bytes().startswith(b"\x89PNG")


def test_the_lab_shows_the_steps_that_the_demo_prints(demo: Ended) -> None:
    [shown] = re.findall(r"<!-- transcript -->(.*)<!-- /transcript -->", LAB.read_text(encoding="utf-8"), re.DOTALL)
    assert _steps(shown) == _steps(demo.stdout)


def _steps(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("▶")]

"""The demo, as `make demo` runs it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from common.settings import PROJECT, Settings
from scripts.demo import command_again
from scripts.demo_copy import DEMO, copy_project
from scripts.parts import wait_for
from scripts.stack import process_environment
from tests.programs import run_python
from tests.scripts.test_stack import processes_of
from tests.servers import free_ports
from tests.terminal import CTRL_C, on_terminal

BROWSER = {"Accept": "text/html"}  # Prefect shows its pages to browsers only
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


@dataclass(frozen=True)
class Shown:
    """A demo on a terminal: its output before Ctrl-C, the status of each address in it, and how it ended."""

    stdout: str
    addresses: dict[str, int]
    opened: list[str]
    picture: bytes
    returncode: int
    left: list[psutil.Process]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a demo on free ports; nothing of it is left behind."""
    yield Settings(lab_home=tmp_path_factory.mktemp("elsewhere"), problem="iris", **free_ports())
    for left in processes_of(DEMO):
        left.kill()


@pytest.fixture(scope="module")
def demo(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    folder = tmp_path_factory.mktemp("browser")
    browser, opened = folder / "browser", folder / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {opened}\n', encoding="utf-8")
    browser.chmod(0o755)
    environment = process_environment(lab) | {"BROWSER": f"{browser} %s"}
    with on_terminal([sys.executable, "-m", "scripts.demo"], environment) as terminal:
        terminal.wait_for("Ctrl-C stops everything", within=300)
        found = re.findall(r"http://\S+", terminal.text)
        statuses = {address: httpx.get(address, headers=BROWSER).status_code for address in found}
        wait_for("the page in the browser", opened.exists)
        output = terminal.text
        terminal.press(CTRL_C)
        returncode = terminal.program.wait(timeout=60)
    picture = (DEMO / "demo.png").read_bytes()
    return Shown(output, statuses, opened.read_text().split(), picture, returncode, processes_of(DEMO))


@pytest.fixture(scope="module")
def tracked_files() -> str:
    return _changes()


def _changes() -> str:
    return subprocess.run(["git", "diff"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout


def test_the_demo_closes_the_loop_and_changes_no_tracked_file(tracked_files: str, demo: Shown) -> None:
    assert "version 1 serves" in demo.stdout
    assert "version 2 serves" in demo.stdout
    assert re.search(r"15/15 best: log-loss 0\.\d+ \(hidden layers", demo.stdout)
    assert "without a restart" in demo.stdout
    assert _changes() == tracked_files


def test_on_a_terminal_all_pages_stay_open_until_ctrl_c_ends_everything(lab: Settings, demo: Shown) -> None:
    assert set(demo.addresses.values()) == {200}
    pages = [f"http://127.0.0.1:{port}/" for port in (lab.monitor_port, lab.mlflow_port, lab.prefect_port)]
    assert [page for page in pages if not any(each.startswith(page) for each in demo.addresses)] == []
    [opened] = demo.opened
    assert opened.startswith(f"http://127.0.0.1:{lab.monitor_port}/?problem=iris&since=2")
    assert opened in demo.addresses
    assert (demo.returncode, demo.left) == (0, [])


def test_a_terminal_that_is_closed_ends_everything_too(lab: Settings) -> None:
    with on_terminal([sys.executable, "-m", "scripts.demo"], process_environment(lab)) as terminal:
        wait_for("the stack", lambda: processes_of(DEMO), within=60)
        terminal.close()
        terminal.program.wait(timeout=60)
    wait_for("the end of every process", lambda: not processes_of(DEMO))


@pytest.mark.thorough
def test_without_a_terminal_it_stops_by_itself_and_says_how_to_start_again(lab: Settings) -> None:
    ended = run_python("-m", "scripts.demo", environment=process_environment(lab))
    assert ended.returncode == 0, ended.stderr + ended.stdout
    again = command_again(lab)
    assert f"MONITOR_PORT={lab.monitor_port} make up" in again
    assert f"Everything is stopped. `{again}` starts it again, with these pages:" in ended.stdout
    assert "Ctrl-C" not in ended.stdout
    assert not processes_of(DEMO)


def test_the_accuracy_falls_with_the_world_and_comes_back_with_version_3_and_a_liar_does_no_harm(demo: Shown) -> None:
    rows = re.findall(r"^│ +\d+ +│ +([^│]+?) +│.*│ +(\d+\.\d)% of \d+ rows +│$", demo.stdout, re.MULTILINE)
    right = {event: float(percent) for event, percent in rows}
    assert right["petals 25 % too long"] < 85 < right["version 3 serves"]
    assert right["a liar's corrections"] > 85
    assert "accuracy in the window: " in demo.stdout
    assert demo.picture.startswith(b"\x89PNG")


def test_the_lab_shows_the_steps_that_the_demo_prints(demo: Shown) -> None:
    [shown] = re.findall(r"<!-- transcript -->(.*)<!-- /transcript -->", LAB.read_text(encoding="utf-8"), re.DOTALL)
    assert _steps(shown) == _steps(demo.stdout)


def _steps(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("▶")]

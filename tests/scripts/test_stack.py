"""The embedded stack: it starts, says where it is, names what fails, and stops whole."""

import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from common.settings import Settings
from scripts.parts import answers, free_port, process, stop, wait_for
from scripts.stack import beside, health_checks, log_path, process_environment
from scripts.traffic import api_address
from tests.programs import error_line, run_python
from tests.servers import free_ports


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Settings]:
    """Settings of a stack on free ports with its state in a folder of the test's own; nothing of it is left behind."""
    yield Settings(lab_home=tmp_path, problem="iris", **free_ports())
    for left in processes_of(tmp_path):
        left.kill()


def processes_of(home: Path) -> list[psutil.Process]:
    """Return the running processes that a stack with this LAB_HOME has started."""
    found = []
    for candidate in psutil.process_iter():
        try:
            if candidate.environ().get("LAB_HOME") == str(home) and candidate.status() != psutil.STATUS_ZOMBIE:
                found.append(candidate)
        except psutil.Error:
            continue
    return found


def test_stack_says_where_it_is_and_ctrl_c_stops_all_of_it(lab: Settings, tmp_path: Path) -> None:
    output = tmp_path / "output"
    with process([sys.executable, "-m", "scripts.stack"], output, process_environment(lab)) as stack:
        wait_for("the stack", lambda: "ready;" in output.read_text(), within=120)
        said = output.read_text()
        assert all(answers(address) for address in health_checks(lab).values())
        assert len(processes_of(tmp_path)) >= 5
        another_problem_beside(lab, tmp_path)
        stop(stack, signal.SIGINT)
        assert stack.returncode == 0
    told = re.findall(r"^  (\w+) +is ready after \d+\.\d s$", said, re.MULTILINE)
    assert sorted(told) == sorted(health_checks(lab))
    for port in (lab.api_port, lab.mlflow_port, lab.prefect_port, lab.monitor_port):
        assert f"http://127.0.0.1:{port}" in said
    wait_for("the end of every process", lambda: not processes_of(tmp_path))
    for name in ("mlflow", "prefect", "worker", "api", "monitor"):
        assert log_path(lab, name).stat().st_size > 0


def another_problem_beside(lab: Settings, folder: Path) -> None:
    """Start one beside a stack, on its servers, and stop it: the stack stays."""
    output, other = folder / "beside", lab.model_copy(update={"problem": "breast_cancer", "api_port": free_port()})
    with process([sys.executable, "-m", "scripts.stack"], output, process_environment(other)) as second:
        wait_for("the second problem", lambda: "ready;" in output.read_text(), within=60)
        assert answers(f"http://127.0.0.1:{other.api_port}/livez")
        assert answers(f"{lab.prefect_api_url}/deployments/name/finetune/finetune-breast_cancer")
        # A shell that names the problem alone finds the port; so it does that of the first.
        found = [api_address(Settings(lab_home=folder, problem=each.problem)) for each in (lab, other)]
        assert found == [f"http://127.0.0.1:{each.api_port}" for each in (lab, other)]
        stop(second, signal.SIGINT)
        assert second.returncode == 0
    assert set(re.findall(r"(\w+) +is ready after", output.read_text())) == {"worker", "api"}
    assert not answers(f"http://127.0.0.1:{other.api_port}/livez")
    assert all(answers(address) for address in health_checks(lab).values())
    assert log_path(lab, "api-breast_cancer").stat().st_size > 0
    assert api_address(Settings(lab_home=folder, problem=other.problem)) == "http://127.0.0.1:8000"


def test_settings_without_keys_win_over_keys_in_the_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without = Settings(_env_file=None, lab_home=tmp_path)
    for name in ("API_KEY", "REVIEW_KEY", "KEYS_FILE"):
        monkeypatch.setenv(name, "of the shell")
    for name, value in process_environment(without).items():
        monkeypatch.setenv(name, value)
    found = Settings(_env_file=None)
    assert (found.api_key, found.review_key, found.keys_file) == (None, None, None)


def test_problems_beside_each_other_have_ports_of_their_own_unless_one_is_set() -> None:
    def port(**values: Any) -> int:
        return beside(Settings(**values)).api_port

    ports = [port(problem=name) for name in ("iris", "breast_cancer", "travel_insurance", "unlisted")]
    assert ports == [8000, 8001, 8002, 8000]
    assert port(problem="breast_cancer", api_port=9000) == 9000


def test_a_process_that_ends_stops_the_stack_and_is_named_with_its_log(lab: Settings, tmp_path: Path) -> None:
    # A store that cannot be opened ends the api and the monitor as soon as they start.
    broken = lab.model_copy(update={"database_url": "sqlite:////proc/nowhere/lab.db"})
    result = run_python("-m", "scripts.stack", environment=process_environment(broken))
    assert result.returncode == 1
    first = re.search("(api|monitor) ended", result.stderr)
    assert first
    assert str(log_path(lab, first[1])) in result.stderr
    assert "the store at sqlite:////proc/nowhere/lab.db cannot be opened" in result.stderr
    assert not processes_of(tmp_path)


@pytest.mark.parametrize("module", ["scripts.stack", "scripts.demo"])
def test_a_busy_port_ends_it_in_one_line(lab: Settings, module: str) -> None:
    with socket.create_server(("127.0.0.1", lab.prefect_port)):
        line = error_line(run_python("-m", module, environment=process_environment(lab)))
    assert f"port {lab.prefect_port} is in use" in line
    assert "Prefect" in line
    assert "PREFECT_PORT" in line

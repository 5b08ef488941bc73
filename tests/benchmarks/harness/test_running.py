"""A measured server runs on one core, all its processes are measured, and none is left at the end."""

import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from benchmarks.harness.counting import accounted, counts, written
from benchmarks.harness.http_load import put_load
from benchmarks.harness.running import core_seconds, family, resident, running
from benchmarks.harness.serving import is_ready, serving, whole
from common.problem import Problem
from common.settings import Settings
from scripts.parts import free_port

# A server that starts a process in another session, which ignores SIGTERM.
SERVER = """
import http.server, subprocess, sys
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
started = subprocess.Popen([sys.executable, "-c", child], start_new_session=True, stdout=subprocess.PIPE)
started.stdout.readline()
http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind="127.0.0.1")
"""


def is_there(http: httpx.Client) -> bool:
    return http.get("/README.md").is_success


def test_all_processes_of_a_server_are_on_one_core_and_end_with_it(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-c", SERVER, str(port)]
    with running(command, {}, tmp_path / "log", port, is_there) as started:
        processes = family(started.first)
        assert len(processes) == 2
        if sys.platform == "linux":
            cores = {core for each in processes for core in each.cpu_affinity()}
            assert len(cores) == 1
        alone = psutil.Process(started.first.pid).memory_info().rss / 1e6
        assert started.resident() > alone
        assert started.cold_start > 0
    assert not [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


# Starts a process that keeps a core busy for half a second, and waits for a line before and after.
PARENT = """
import subprocess, sys
input()
busy = "import time; begun = time.process_time()\\nwhile time.process_time() < begun + 0.5: pass"
subprocess.run([sys.executable, "-c", busy], check=True)
print(flush=True)
input()
"""


def test_the_core_time_of_a_process_that_has_ended_meanwhile_counts() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=pipe, stdout=pipe, text=True, bufsize=1) as started:
        assert started.stdin
        assert started.stdout
        first = psutil.Process(started.pid)
        before = core_seconds(first)
        started.stdin.write("\n")
        started.stdout.readline()
        assert core_seconds(first) - before >= 0.5
        started.stdin.write("\n")


def test_a_process_that_ends_while_all_are_looked_at_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as started:
        child = psutil.Process(started.pid)
        here = psutil.Process()
        monkeypatch.setattr("benchmarks.harness.running.family", lambda first: [first, child])
        started.communicate(b"\n")
    assert core_seconds(here) > 0
    assert resident(here.pid) > 1


def test_a_server_that_ends_early_is_an_error_with_its_output(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no model')"]
    with (
        pytest.raises(ChildProcessError, match="ended with code 1 before it was ready") as caught,
        running(command, {}, tmp_path / "log", free_port(), is_there),
    ):
        pass
    assert "no model" in caught.value.__notes__[0]


@pytest.mark.usefixtures("wrk")
def test_the_api_counts_and_logs_every_request(offline: Settings, problem: Problem, bundle: bytes) -> None:
    own = offline.model_copy(update={"api_port": free_port()})
    body = b'{"sepal_length": 6.1, "sepal_width": 2.8, "petal_length": 4.7, "petal_width": 1.2}'
    with serving(whole(bundle), own, problem, is_ready) as started:
        before = counts(started.http)
        load, core = started.timed(lambda: put_load(own.api_port, "/predict", body, 0.3))
        found = accounted(written(started.http) - before, load)
        assert found.logged == found.answered
        with pytest.raises(RuntimeError, match="the api has counted"):
            accounted(found, load, rows=2)
    assert 0 < core / load.answers < 0.1

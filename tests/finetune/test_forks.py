"""Flow runs are forks of a process that has imported everything."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import anyio
import psutil
import pytest
from prefect.runner import _starter_engine
from prefect.settings import PREFECT_API_URL, temporary_settings

from common.settings import PROJECT
from finetune import forks

IMPORTED = tuple(forks.IMPORTED)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only on Linux are flow runs forks")


@pytest.fixture(autouse=True)
def forking(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Flow runs are forks, and their Prefect accepts connections and never answers."""
    monkeypatch.setattr(forks, "IMPORTED", ["prefect.flow_engine"])
    monkeypatch.setitem(vars(_starter_engine), "run_process", None)  # and set it back afterwards
    forks.fork_flow_runs()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/api"
        with temporary_settings({PREFECT_API_URL: url}):
            yield


def start_and(then: Callable[[psutil.Process], None], flow_run_id: Any) -> int | None:
    """Let Prefect start a flow run, call `then` with its process, and return its exit code."""

    async def start() -> int | None:
        flow_run: Any = SimpleNamespace(id=flow_run_id)
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                handle = await group.start(_starter_engine.EngineCommandStarter().start, flow_run)
                then(psutil.Process(handle.pid))
        code: int | None = handle.returncode
        return code

    return anyio.run(start)


def fail() -> int | None:
    """Return the exit code of a flow run that Prefect's engine ends with 1."""
    return start_and(lambda _: None, "no id")


def kill_parent(process: psutil.Process) -> None:
    server = process.parent()
    assert server
    assert server.pid != os.getpid()
    server.kill()


def test_a_flow_run_ends_with_the_exit_code_that_prefects_engine_gives() -> None:
    assert fail() == 1


def test_the_end_of_a_flow_run_that_is_killed_is_noticed() -> None:
    assert start_and(psutil.Process.kill, uuid4()) == -signal.SIGKILL


def test_the_end_of_the_fork_server_is_noticed_and_the_next_flow_run_gets_another() -> None:
    assert start_and(kill_parent, uuid4())
    assert fail() == 1


def test_a_flow_run_ends_with_its_worker() -> None:
    processes: list[psutil.Process] = []

    def stop(process: psutil.Process) -> None:
        processes.append(process)
        raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, BaseExceptionGroup)):
        start_and(stop, uuid4())
    assert not processes[0].is_running()


def test_the_fork_server_imports_no_problem_and_starts_no_thread() -> None:
    # A changed problem counts from the next flow run on, and a fork has no thread but the one that forks.
    look = (
        "import sys, threading; print(threading.active_count(), *(m for m in sys.modules if m.startswith('problems.')))"
    )
    command = [sys.executable, "-c", f"import {', '.join(IMPORTED)}; {look}"]
    assert subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout == "1\n"

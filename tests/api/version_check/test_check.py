"""Before a version serves, a process of its own checks it, with the numbers of rows that the service will ask."""

import asyncio
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from api.version_check import check
from api.version_check.check import check_apart
from common.bundle.model import ModelError
from common.problem import Problem
from common.settings import Settings
from scripts.parts import wait_for
from tests.api.odd_models import REFUSED, looped, plain


def checked(settings: Settings, problem: Problem, content: bytes, names: list[str] | None = None) -> None:
    asyncio.run(check_apart(problem, settings, content, names))


def test_a_good_model_passes(offline: Settings, problem: Problem, bundle: bytes) -> None:
    checked(offline, problem, bundle)
    checked(offline, problem, plain())
    checked(offline, problem, plain(classes=None), ["one", "two", "three"])


@pytest.mark.parametrize("odd", REFUSED)
def test_an_odd_model_is_refused_with_the_reason(offline: Settings, problem: Problem, odd: str) -> None:
    make, reason = REFUSED[odd]
    with pytest.raises(ModelError, match=reason):
        checked(offline, problem, make())


def test_a_version_that_never_ends_is_ended(offline: Settings, problem: Problem) -> None:
    began = time.monotonic()
    with pytest.raises(ModelError, match=r"not checked within MODEL_CHECK_SECONDS, 2 s"):
        checked(offline.model_copy(update={"model_check_seconds": 2.0}), problem, looped(2**62))
    assert time.monotonic() - began < 10


def test_a_version_that_is_slow_is_refused_with_its_time(offline: Settings, problem: Problem) -> None:
    with pytest.raises(ModelError, match=r"1 rows take \d\.\d s, more than MODEL_RUN_SECONDS, 0\.05 s"):
        checked(offline.model_copy(update={"model_run_seconds": 0.05}), problem, looped(400_000))


def test_a_check_that_crashes_is_a_refusal(
    offline: Settings, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "COMMAND", ("sh", "-c", "kill -SEGV $$"))
    with pytest.raises(ModelError, match="the check was ended by SIGSEGV"):
        checked(offline, problem, b"")
    monkeypatch.setattr(check, "COMMAND", ("sh", "-c", "echo first >&2; echo last >&2; exit 1"))
    with pytest.raises(ModelError, match=re.compile("^last$")):
        checked(offline, problem, b"")


def test_a_check_ends_when_the_service_stops_meanwhile(
    offline: Settings, problem: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"
    monkeypatch.setattr(check, "COMMAND", ("sh", "-c", f"echo $$ > {pid}.part; mv {pid}.part {pid}; exec sleep 600"))

    async def stop_meanwhile() -> None:
        task = asyncio.create_task(check_apart(problem, offline, b"", None))
        await asyncio.to_thread(wait_for, "the check", pid.exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stop_meanwhile())
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), signal.SIGKILL)


def test_a_check_that_is_starting_when_the_service_stops_is_ended(
    offline: Settings, problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "COMMAND", ("sleep", "600"))
    starting, stopped, started = threading.Event(), threading.Event(), []
    start = subprocess.Popen

    def start_late(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        starting.set()
        assert stopped.wait(10)
        started.append(start(*arguments, **options))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", start_late)

    async def stop_meanwhile() -> None:
        task = asyncio.create_task(check_apart(problem, offline, b"", None))
        assert await asyncio.to_thread(starting.wait, 10)
        task.cancel()
        stopped.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stop_meanwhile())
    assert started[0].returncode == -signal.SIGKILL

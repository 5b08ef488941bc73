"""A version is checked in a process of its own, as it will be used, before it serves."""

import asyncio
import os
import re
import signal
import time
from pathlib import Path

import pytest

from api.schemas.requests import sample_row
from api.version_check import check
from api.version_check.check import check_apart
from common.bundle.model import ModelError
from common.problem import Problem
from common.settings import Settings
from scripts.parts import wait_for
from tests.api.odd_models import REFUSED, looped, plain


def checked(settings: Settings, problem: Problem, content: bytes, names: list[str] | None = None) -> None:
    asyncio.run(check_apart(content, names, sample_row(problem), settings))


def test_what_can_be_served_passes(offline: Settings, problem: Problem, bundle: bytes) -> None:
    checked(offline, problem, bundle)
    checked(offline, problem, plain())
    checked(offline, problem, plain(classes=None), ["one", "two", "three"])


@pytest.mark.parametrize("odd", REFUSED)
def test_what_is_odd_is_refused_in_one_line_that_says_why(offline: Settings, problem: Problem, odd: str) -> None:
    make, reason = REFUSED[odd]
    with pytest.raises(ModelError, match=reason) as refused:
        checked(offline, problem, make())
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) <= check.MAX_REASON


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


def test_a_check_ends_with_the_service_that_has_asked_for_it(
    offline: Settings, problem: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"
    monkeypatch.setattr(check, "COMMAND", ("sh", "-c", f"echo $$ > {pid}.part; mv {pid}.part {pid}; exec sleep 600"))

    async def stop_meanwhile() -> None:
        task = asyncio.create_task(check_apart(b"", None, sample_row(problem), offline))
        await asyncio.to_thread(wait_for, "the check", pid.exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stop_meanwhile())
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), signal.SIGKILL)

"""Starts the process that checks a version, and ends it when it takes too long."""

import asyncio
import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

from api.schemas.requests import sample_row
from common.bundle.model import ModelError
from common.problem import Problem
from common.settings import PROJECT, Settings

COMMAND = (sys.executable, "-m", "api.version_check.check_process")
# Threads of libraries take longer to start than they save here, and each takes address space.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


async def check_apart(problem: Problem, settings: Settings, content: bytes, classes: Sequence[str] | None) -> None:
    """Check in a process of its own whether a model can serve, within MODEL_CHECK_SECONDS.

    Args:
        problem: gives the row to ask a model without golden rows.
        settings: hold the limits of time and memory.
        content: the bytes of the ONNX file.
        classes: names for a model that carries none.

    Raises:
        ModelError: it cannot serve; the message gives the reason.
        OSError: the process cannot be started.
    """
    order = {
        "classes": classes,
        "sample": sample_row(problem),
        "run_seconds": settings.model_run_seconds,
        "memory_bytes": settings.model_memory_mb * 2**20,
        "cpu_seconds": math.ceil(settings.model_check_seconds),
    }
    running = _Running()
    try:
        await asyncio.to_thread(_check, running, json.dumps(order).encode() + b"\n" + content, settings)
    finally:
        running.end()  # the thread goes on if the service stops meanwhile


class _Running:
    """The process of a check, which may be ended before it has started."""

    def __init__(self) -> None:
        self._lock, self._ended = threading.Lock(), False
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes] | None:
        """Start the process; None if the check has been ended already."""
        pipe = subprocess.PIPE
        environment = {**os.environ, **ONE_THREAD}
        with self._lock:
            if not self._ended:
                self._process = subprocess.Popen(
                    COMMAND, cwd=PROJECT, env=environment, stdin=pipe, stdout=pipe, stderr=pipe
                )
            return self._process

    def end(self) -> None:
        """Kill the process, if there is one; the thread that started it collects it."""
        with self._lock:
            self._ended = True
            if self._process:
                self._process.kill()


def _check(running: _Running, order: bytes, settings: Settings) -> None:
    if process := running.start():
        _wait(process, order, settings)


def _wait(process: subprocess.Popen[bytes], order: bytes, settings: Settings) -> None:
    with process:
        try:
            refusal, failure = process.communicate(order, settings.model_check_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise ModelError(_too_late(settings)) from None
    if process.returncode == 0:
        return
    if process.returncode == -signal.SIGXCPU:
        raise ModelError(_too_late(settings))
    if process.returncode < 0:
        name = signal.Signals(-process.returncode).name
        raise ModelError(f"the check was ended by {name}: it may need more than MODEL_MEMORY_MB, or crash the runtime")
    reason = refusal or b"".join(failure.splitlines()[-1:]) or b"the check failed without a message"
    raise ModelError(reason.decode(errors="replace"))


def _too_late(settings: Settings) -> str:
    return f"it was not checked within MODEL_CHECK_SECONDS, {settings.model_check_seconds:g} s"

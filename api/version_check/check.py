"""Starts the process that checks a version, and ends it when it takes too long."""

import asyncio
import json
import math
import os
import signal
import subprocess
import sys
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
    process = await asyncio.to_thread(_start)
    try:
        await asyncio.to_thread(_wait, process, json.dumps(order).encode() + b"\n" + content, settings)
    finally:
        process.kill()  # the check may still run if the service stops meanwhile


def _start() -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    environment = {**os.environ, **ONE_THREAD}
    return subprocess.Popen(COMMAND, cwd=PROJECT, env=environment, stdin=pipe, stdout=pipe, stderr=pipe)


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

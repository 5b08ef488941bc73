"""Checking a version before it serves, in a process of its own: one that never ends, or eats memory, is ended."""

import asyncio
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from common.bundle.model import ModelError
from common.problem import Value
from common.settings import PROJECT, Settings

COMMAND = (sys.executable, "-m", "api.version_check.check_process")
MAX_REASON = 500  # characters
# A library's threads would cost more to start than they save, and each takes address space.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


async def check_apart(
    content: bytes, classes: Sequence[str] | None, sample: Sequence[Sequence[Value]], settings: Settings
) -> None:
    """Find out whether a model can serve, within MODEL_CHECK_SECONDS.

    Args:
        content: the bytes of the ONNX file.
        classes: names for a model that carries none.
        sample: rows of the problem to ask a model that carries no golden ones.
        settings: hold the limits of time and memory.

    Raises:
        ModelError: it cannot; the message says why, in one line.
        OSError: the process cannot be started.
    """
    asked = {
        "classes": classes,
        "sample": sample,
        "run_seconds": settings.model_run_seconds,
        "memory_bytes": settings.model_memory_mb * 2**20,
        "cpu_seconds": math.ceil(settings.model_check_seconds),
    }
    process = await asyncio.to_thread(_start)
    try:
        await asyncio.to_thread(_follow, process, json.dumps(asked).encode() + b"\n" + content, settings)
    finally:
        process.kill()  # if the service is told to stop meanwhile; one that has ended feels nothing


def one_line(reason: object) -> str:
    """Return a reason as one line of at most 500 characters."""
    line = " ".join(str(reason).split()) or repr(reason)
    return line if len(line) <= MAX_REASON else f"{line[: MAX_REASON - 1]}…"


def _start() -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    environment = {**os.environ, **ONE_THREAD}
    return subprocess.Popen(COMMAND, cwd=PROJECT, env=environment, stdin=pipe, stdout=pipe, stderr=pipe)


def _follow(process: subprocess.Popen[bytes], asked: bytes, settings: Settings) -> None:
    with process:
        try:
            refusal, failure = process.communicate(asked, settings.model_check_seconds)
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
    said = refusal or b"".join(failure.splitlines()[-1:]) or b"the check says nothing"
    raise ModelError(one_line(said.decode(errors="replace")))


def _too_late(settings: Settings) -> str:
    return f"it was not checked within MODEL_CHECK_SECONDS, {settings.model_check_seconds:g} s"

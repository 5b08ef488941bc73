"""The harm that a soak does to a part."""

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil

from tests.soak.clock import LIBRARIES
from tests.soak.parts import Part

FULL = 100  # bytes that a file may have while the disk is "full"
SLOW = 200_000  # microseconds that each wait for the disk takes longer
STEP = 300  # seconds


def kill(part: Part) -> None:
    """Kill a part."""
    part.kill()


def stall(part: Part, seconds: float = 3.0) -> None:
    """Let a part do nothing for some seconds."""
    found = part.processes()
    for each in found:
        with suppress(psutil.NoSuchProcess):
            each.suspend()
    time.sleep(seconds)
    for each in found:
        with suppress(psutil.NoSuchProcess):
            each.resume()


def fill_disk(part: Part, seconds: float = 3.0) -> None:
    """Let no file of a part grow for some seconds."""
    with _file_limit(part, FULL):
        time.sleep(seconds)


def slow_disk(part: Part, seconds: float = 5.0) -> None:
    """Let each wait of a part for the disk take 0.2 s longer; `strace` delays the system's calls.

    Raises:
        RuntimeError: strace cannot do it.
    """
    calls = "fsync,fdatasync,sync_file_range"
    pids = [option for each in part.processes() for option in ("-p", str(each.pid))]
    command = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={calls}"]
    with subprocess.Popen([*command, "-e", f"inject={calls}:delay_enter={SLOW}", *pids], stderr=subprocess.PIPE) as run:
        try:
            run.wait(seconds)
        except subprocess.TimeoutExpired:
            run.terminate()  # strace lets the processes go on
        else:
            raise RuntimeError(f"strace ended by itself: {run.stderr.read().decode() if run.stderr else ''}")


def set_clock_forward(part: Part, seconds: float = 5.0) -> None:
    """Set the clock of a part five minutes forward, and right again."""
    _step(part, STEP, seconds)


def set_clock_back(part: Part, seconds: float = 5.0) -> None:
    """Set the clock of a part five minutes back, and right again."""
    _step(part, -STEP, seconds)


def _step(part: Part, by: int, seconds: float) -> None:
    part.clock.set(by)
    try:
        time.sleep(seconds)
    finally:
        part.clock.set(0)


@contextmanager
def _file_limit(part: Part, limit: int) -> Iterator[None]:
    before = resource.prlimit(os.getpid(), resource.RLIMIT_FSIZE)
    _limit(part, (limit, before[1]))
    try:
        yield
    finally:
        _limit(part, before)


def _limit(part: Part, limits: tuple[int, int]) -> None:
    for each in part.processes():
        with suppress(ProcessLookupError, PermissionError):
            resource.prlimit(each.pid, resource.RLIMIT_FSIZE, limits)


FAULTS: dict[str, Callable[[Part], None]] = {
    "kill": kill,
    "full disk": fill_disk,
    "stall": stall,
    "slow disk": slow_disk,
    "clock forward": set_clock_forward,
    "clock back": set_clock_back,
}
MISSING = {  # the program without which a fault cannot be done, where it is not installed
    **({} if shutil.which("strace") else {"slow disk": "strace"}),
    **({} if LIBRARIES else dict.fromkeys(("clock forward", "clock back"), "libfaketime")),
}

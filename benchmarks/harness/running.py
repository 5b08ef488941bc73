"""A measured server: it starts on one core, all its processes are measured, and all of them end with it."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from benchmarks.harness.http_load import SERVER, Measured, on_core
from scripts.parts import process, wait_for
from scripts.ports import HOST

PATIENCE = 120.0
EVERY = 0.01
END_WITHIN = 5.0


@dataclass(frozen=True)
class Running:
    """A running server: a client, the first process, and the seconds from its start to its first answer."""

    http: httpx.Client
    first: psutil.Process
    cold_start: float

    def timed(self, load: Callable[[], Measured]) -> tuple[Measured, float]:
        """Send a load; return its result, and the core seconds of the server's processes meanwhile."""
        before = core_seconds(self.first)
        measured = load()
        return measured, core_seconds(self.first) - before

    def resident(self) -> float:
        """Return the resident memory of all processes of the server, in MB."""
        return resident(self.first.pid)


@contextmanager
def running(
    command: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    port: int,
    answers: Callable[[httpx.Client], bool],
) -> Iterator[Running]:
    """Run a server on its core; yield it when the function `answers` returns true.

    Raises:
        ChildProcessError: the server ended before; the error holds the end of its output.
        TimeoutError: `answers` did not return true in time; the error holds the end of the server's output.
    """
    with ExitStack() as stack:
        begin = time.perf_counter()
        # Threads and child processes inherit the core from the thread that starts the server.
        with on_core(SERVER):
            started = stack.enter_context(process(command, log, environment))
        first = psutil.Process(started.pid)
        stack.enter_context(_ended_with(first))
        http = stack.enter_context(httpx.Client(base_url=f"http://{HOST}:{port}", timeout=10.0))

        def ready() -> bool:
            if started.poll() is not None:
                raise ChildProcessError(f"{command[0]} ended with code {started.returncode} before it was ready")
            return answers(http)

        wait_for(" ".join(command), ready, within=PATIENCE, every=EVERY)
        yield Running(http, first, time.perf_counter() - begin)


def family(first: psutil.Process) -> list[psutil.Process]:
    """Return a process with its children and their descendants, as far as they still run."""
    with suppress(psutil.NoSuchProcess):
        return [first, *first.children(recursive=True)]
    return []


def core_seconds(first: psutil.Process) -> float:
    """Return the core seconds of a process and its descendants, those that have ended included."""
    # The four times are user and system, of a process and of its children that have ended. A parent comes after its
    # children, so that it has the time of one that has ended since.
    return sum(_of_each(reversed(family(first)), lambda each: sum(each.cpu_times()[:4])))


def resident(pid: int) -> float:
    """Return the resident memory of a process and its descendants, in MB."""
    return sum(_of_each(family(psutil.Process(pid)), lambda each: each.memory_info().rss)) / 1e6


def _of_each(processes: Iterable[psutil.Process], read: Callable[[psutil.Process], float]) -> Iterator[float]:
    """Yield what `read` returns for each process that still runs."""
    for each in processes:
        with suppress(psutil.NoSuchProcess):
            yield read(each)


@contextmanager
def _ended_with(first: psutil.Process) -> Iterator[None]:
    """End all processes of a server when the context ends.

    Some servers leave child processes running, which would take the core from the next measured server.
    """
    try:
        yield
    finally:
        left = family(first)
        for each in left:
            with suppress(psutil.NoSuchProcess):
                each.terminate()
        _, alive = psutil.wait_procs(left, timeout=END_WITHIN)
        for each in alive:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(alive, timeout=END_WITHIN)

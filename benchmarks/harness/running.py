"""A server that is measured: started on one core, watched with all its processes, and ended with all of them."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    """A server that runs: a client of it, its first process, and the seconds from its start to its first answer."""

    http: httpx.Client
    first: psutil.Process
    cold_start: float

    def timed(self, load: Callable[[], Measured]) -> tuple[Measured, float]:
        """Put a load on it; return what came of that, and the seconds of a core that its processes took."""
        before = core_seconds(self.first)
        measured = load()
        return measured, core_seconds(self.first) - before

    def resident(self) -> float:
        """Return the memory that its processes hold, in MB."""
        return resident(self.first.pid)


@contextmanager
def running(
    command: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    port: int,
    answers: Callable[[httpx.Client], bool],
) -> Iterator[Running]:
    """Run a server on its core; yield it when `answers`, which asks it, is content.

    Raises:
        ChildProcessError: it ended before; the end of its output goes with the error.
        TimeoutError: it does not answer like that; likewise.
    """
    with ExitStack() as stack:
        begin = time.perf_counter()
        # Pinned while the process starts: its threads and its children inherit the core.
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
    """Return a process and all that it has started, directly or not, and that still run."""
    with suppress(psutil.NoSuchProcess):
        return [first, *first.children(recursive=True)]
    return []


def core_seconds(first: psutil.Process) -> float:
    """Return the seconds of a core that a process and those that it has started have taken."""
    times = [each.cpu_times() for each in family(first)]
    return sum(each.user + each.system for each in times)


def resident(pid: int) -> float:
    """Return the resident memory of a process and its children, in MB."""
    return sum(each.memory_info().rss for each in family(psutil.Process(pid))) / 1e6


@contextmanager
def _ended_with(first: psutil.Process) -> Iterator[None]:
    """See that nothing is left of a server's processes when the first has been told to end.

    Some servers leave their children behind, which would go on taking the core from what is measured next.
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

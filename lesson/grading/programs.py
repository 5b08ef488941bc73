"""The programs that a grading starts: each has time limits and a log, and none is left at the end."""

import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from lesson.grading.limits import TimeLimits

HOST = "127.0.0.1"
MARKER = "LESSON_GRADING"
OUTPUT_LIMIT = 5_000_000  # bytes
TAIL = 4_000  # characters of a log that are searched for the reason of a failure
POLL = 0.05
GRACE = 3.0  # s that child processes get to end after their parent


class OutOfTimeError(RuntimeError):
    """The time for the whole grading is over."""


class StartError(RuntimeError):
    """A program does not start; the message says why."""


@dataclass(frozen=True)
class Ended:
    """The end of a program; `problem` is empty if it ended by itself with code 0."""

    problem: str
    output: str


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def last_words(output: str) -> str:
    """Return the last line that a program has printed, which of a traceback is the error."""
    lines = [line.strip() for line in output[-TAIL:].splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it printed nothing"


@dataclass
class Background:
    """A program that runs in the background."""

    name: str
    started: subprocess.Popen[bytes]
    log: Path
    mark: str

    def output(self) -> str:
        """Return the end of the program's output."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - TAIL))
            return log.read().decode(errors="replace")

    def problem(self) -> str:
        """Return why the program no longer runs as it should; an empty text if it runs."""
        if self.started.poll() is not None:
            return f"{self.name} ended with code {self.started.returncode}: {last_words(self.output())}"
        if self.log.stat().st_size > OUTPUT_LIMIT:
            return f"{self.name} prints without end, such as: {last_words(self.output())}"
        return ""


@dataclass
class Programs:
    """Starts programs in one environment; an environment variable marks each process that comes from them."""

    environment: Mapping[str, str]
    logs: Path
    limits: TimeLimits
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    left_behind: list[str] = field(default_factory=list)
    _deadline: float = 0.0

    def __post_init__(self) -> None:
        """Begin to count the time for everything."""
        self._deadline = time.monotonic() + self.limits.all

    def within(self, seconds: float) -> float:
        """Return a limit for a step that ends no later than the whole grading.

        Raises:
            OutOfTimeError: that time is over.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise OutOfTimeError(f"the time for everything, {self.limits.all:.0f} s, is over")
        return min(seconds, left)

    def wait(self, look: Callable[[], bool], seconds: float, every: float = POLL) -> bool:
        """Call `look` until it returns true; return whether it did so in time."""
        deadline = time.monotonic() + self.within(seconds)
        while not look():
            if time.monotonic() > deadline:
                return False
            time.sleep(every)
        return True

    def run(self, name: str, command: Sequence[str], folder: Path, seconds: float) -> Ended:
        """Run a program to its end, or stop it when its time is over or it prints without end."""
        limit = self.within(seconds)
        program = self._start(name, command, folder)
        deadline = time.monotonic() + limit
        problem = ""
        while program.started.poll() is None and not problem:
            if program.log.stat().st_size > OUTPUT_LIMIT:
                problem = program.problem()
            elif time.monotonic() > deadline:
                problem = f"{name} does not end within {limit:.0f} s"
            time.sleep(POLL)
        if not problem:
            problem = program.problem() if program.started.returncode else ""
            self._note_children(program)
        self._end(program, psutil.Process.kill)
        return Ended(problem, program.output())

    @contextmanager
    def background(
        self, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
    ) -> Iterator[Background]:
        """Run a program in the background; end it, and note if it does not end when told."""
        program = self._start(name, command, folder, environment)
        try:
            yield program
        finally:
            self._end(program, psutil.Process.terminate)
            try:
                program.started.wait(self.limits.end)
            except subprocess.TimeoutExpired:
                self.left_behind.append(f"{name} does not end within {self.limits.end:.0f} s")
            self._end(program, psutil.Process.kill)

    def until_ready(self, program: Background, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until a program in the background is ready.

        Raises:
            StartError: it ends, prints without end, or is not ready in time.
        """
        if not self.wait(lambda: bool(program.problem()) or ready(), seconds):
            raise StartError(f"{program.name} does not answer within {seconds:.0f} s")
        if problem := program.problem():
            raise StartError(problem)

    def end_all(self) -> None:
        """Kill every process that has the mark of this grading, wherever it went."""
        self._end_marked(self.token, psutil.Process.kill)

    def _start(
        self, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
    ) -> Background:
        mark = f"{self.token}-{secrets.token_hex(4)}"
        log = self.logs / f"{mark}.log"
        marked = {**self.environment, **(environment or {}), MARKER: mark}
        with log.open("wb") as output:
            started = subprocess.Popen(
                command,
                cwd=folder,
                env=marked,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return Background(name, started, log, mark)

    def _end(self, program: Background, how: Callable[[psutil.Process], None]) -> None:
        self._end_marked(program.mark, how)
        if how is psutil.Process.kill:
            program.started.wait()

    def _end_marked(self, mark: str, how: Callable[[psutil.Process], None]) -> None:
        for process in _marked(mark):
            with suppress(psutil.Error):
                how(process)

    def _note_children(self, program: Background) -> None:
        """Note processes that live longer than the program that started them."""
        end = time.monotonic() + GRACE
        while left := _marked(program.mark):
            if time.monotonic() > end:
                self.left_behind.append(f"{program.name} leaves {len(left)} process(es) behind")
                return
            time.sleep(POLL)


def _marked(mark: str) -> list[psutil.Process]:
    """Return the living processes whose mark begins like this."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(MARKER, "").startswith(mark) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found

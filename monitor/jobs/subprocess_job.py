"""A job as a process of its own, whose memory goes with it."""

import logging
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress

from common.settings import PROJECT, Settings

logger = logging.getLogger(__name__)


class ChildError(RuntimeError):
    """The process failed, or was not done in time."""


class Child:
    """Runs a command with the settings of this process; one that is under way is killed by `stop`."""

    def __init__(self, command: Sequence[str], settings: Settings, within: float) -> None:
        """Run `command` in the project's folder, for so many seconds at most."""
        self._command, self._within = command, within
        # Unbuffered: what it says stays in the order of its saying, errors last.
        self._environment = {**os.environ, **settings.environment(), "PYTHONUNBUFFERED": "1"}
        self._lock = threading.Lock()
        self._running: subprocess.Popen[str] | None = None
        self._stopped = False

    def run(self) -> bool:
        """Run it and wait for its end; return whether it came to that: `stop` kills it, and keeps others back.

        Raises:
            ChildError: it ended with another code than 0, or not in time.
        """
        with self._lock:
            if self._stopped:
                return False
            self._running = process = subprocess.Popen(
                self._command,
                cwd=PROJECT,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        with process:
            self._follow(process)
        return not self._stopped

    def stop(self) -> None:
        """Kill what runs, and let nothing be run any more."""
        with self._lock:
            self._stopped = True
            if self._running:
                _kill(self._running)

    def _follow(self, process: subprocess.Popen[str]) -> None:
        try:
            said, _ = process.communicate(timeout=self._within)
        except subprocess.TimeoutExpired:
            _kill(process)
            process.communicate()
            raise ChildError(f"it was not done within {self._within:.0f} s") from None
        finally:
            with self._lock:
                self._running = None
        lines = said.splitlines()
        if process.returncode and not self._stopped:
            logger.error("%s\n%s", " ".join(self._command), said)
            raise ChildError(lines[-1] if lines else f"it ended with code {process.returncode}")
        for line in lines:
            logger.info("%s", line)


def _kill(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)

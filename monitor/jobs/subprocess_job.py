"""A job in a subprocess: its memory is free again when it ends."""

import logging
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress

from common.settings import PROJECT, Settings

logger = logging.getLogger(__name__)


class JobError(RuntimeError):
    """The process failed, or did not end in time."""


class SubprocessJob:
    """Runs a command with the settings of this process; `stop` kills a running one."""

    def __init__(self, command: Sequence[str], settings: Settings, within: float) -> None:
        """Run `command` in the project's folder, for at most `within` seconds."""
        self._command, self._within = command, within
        # Without buffering, output and errors stay in the order in which they were written.
        self._environment = {**os.environ, **settings.environment(), "PYTHONUNBUFFERED": "1"}
        self._lock = threading.Lock()
        self._running: subprocess.Popen[str] | None = None
        self._stopped = False

    def run(self) -> bool:
        """Run the command and wait for its end; return False if `stop` has killed or prevented it.

        Raises:
            JobError: the process ended with another code than 0, or did not end in time.
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
        """Kill the running process, and prevent further runs."""
        with self._lock:
            self._stopped = True
            if self._running:
                _kill(self._running)

    def _follow(self, process: subprocess.Popen[str]) -> None:
        try:
            output, _ = process.communicate(timeout=self._within)
        except subprocess.TimeoutExpired:
            _kill(process)
            process.communicate()
            raise JobError(f"it did not end within {self._within:.0f} s") from None
        finally:
            with self._lock:
                self._running = None
        lines = output.splitlines()
        if process.returncode and not self._stopped:
            logger.error("%s\n%s", " ".join(self._command), output)
            raise JobError(lines[-1] if lines else f"it ended with code {process.returncode}")
        for line in lines:
            logger.info("%s", line)


def _kill(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)

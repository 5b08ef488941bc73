"""The parts of a lab as processes that can be killed, stopped for a moment, and started again, as a supervisor does."""

import signal
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
import psutil
import sqlalchemy as sa
from honcho.environ import parse_procfile
from sqlalchemy.exc import SQLAlchemyError

from common.settings import PROJECT, Settings
from scripts.parts import answers, process, stop, wait_for
from scripts.stack import health_checks, log_path, process_environment
from tests.postgres import Postgres
from tests.soak.clock import OwnClock

if TYPE_CHECKING:
    import subprocess

RECOVERY_SECONDS = 120.0


class Part:
    """A process of the Procfile, with its children."""

    def __init__(self, name: str, settings: Settings) -> None:
        """Know how to start it."""
        self.name, self._settings = name, settings
        self._stack = ExitStack()
        self._started: subprocess.Popen[bytes] | None = None
        self._log_before = 0
        self.clock = OwnClock(settings.state_dir / "clocks" / name)

    def start(self) -> None:
        """Start it, and do not wait."""
        command = parse_procfile((PROJECT / "Procfile").read_text(encoding="utf-8")).processes[self.name]
        log = log_path(self._settings, self.name)
        environment = process_environment(self._settings) | self.clock.environment()
        self._log_before = log.stat().st_size if log.exists() else 0
        self._started = self._stack.enter_context(process(["sh", "-c", f"exec {command}"], log, environment))

    def kill(self) -> None:
        """Kill it with all its children, and start it again."""
        if self._started is not None:
            stop(self._started, signal.SIGKILL)
        self._stack.close()
        self.start()

    def is_well(self) -> bool:
        """Return whether it answers."""
        if self._started is not None and self._started.poll() is not None:  # the part ended by itself
            self._stack.close()
            self.start()
        if self.name == "worker":  # its deployment is in Prefect also while it is away
            return b"serving finetune/" in log_path(self._settings, self.name).read_bytes()[self._log_before :]
        return answers(health_checks(self._settings)[self.name])

    def processes(self) -> list[psutil.Process]:
        """Return the process and its children."""
        with suppress(psutil.NoSuchProcess):
            if self._started is not None:
                main = psutil.Process(self._started.pid)
                return [main, *main.children(recursive=True)]
        return []

    def close(self) -> None:
        """Stop it."""
        self._stack.close()


class PostgresPart(Part):
    """The PostgreSQL server of the store."""

    def __init__(self, server: Postgres, folder: Path, url: str, api: str | None = None) -> None:
        """Use a server that runs already, with its data in `folder`; `api` is the address of an api that uses it."""
        self.name, self._server, self._folder, self._api = "postgresql", server, folder, api
        self._engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args={"connect_timeout": 2})

    def start(self) -> None:
        """Start it; it needs a moment until the processes of the killed one have gone."""
        with suppress(Exception):
            self._server._server.start()

    def kill(self) -> None:
        """Kill all its processes, and start it again."""
        for each in self.processes():
            with suppress(psutil.NoSuchProcess):
                each.kill()
        self.start()

    def is_well(self) -> bool:
        """Return whether it answers, and the api, if there is one, has reached it again."""
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql("SELECT 1")
        except SQLAlchemyError:
            if not self.processes():
                self.start()
            return False
        return self._api is None or answered(f"{self._api}/predictions/{UUID(int=0)}") == httpx.codes.NOT_FOUND

    def processes(self) -> list[psutil.Process]:
        """Return the server and its children."""
        with suppress(OSError, ValueError, IndexError, psutil.NoSuchProcess):
            main = psutil.Process(int((self._folder / "postmaster.pid").read_text().splitlines()[0]))
            return [main, *main.children(recursive=True)]
        return []

    def close(self) -> None:
        """Leave it to its owner."""
        self._engine.dispose()


def answered(address: str) -> int | None:
    """Return the status of an answer; None if there is none."""
    with suppress(httpx.HTTPError):
        return httpx.get(address, timeout=5.0).status_code
    return None


def recover(part: Part) -> float:
    """Wait until a part answers; return the seconds."""
    begun = time.monotonic()
    wait_for(part.name, part.is_well, within=RECOVERY_SECONDS, every=0.1)
    return time.monotonic() - begun

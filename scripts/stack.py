"""The embedded stack: start the processes of the Procfile together, and stop them together.

Each process writes to `.lab/logs/<name>.log`; `log_files.py` bounds these files. When one process ends, the stack stops
the others and prints its last lines. If a stack of the same lab runs already, only the worker and the api of the chosen
problem start, and use the servers of the first stack.
"""

import os
import re
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from pathlib import Path

import httpx
from filelock import FileLock, Timeout
from honcho.environ import parse_procfile
from honcho.manager import SYSTEM_PRINTER_NAME, Manager
from honcho.printer import Message

from common.settings import PROJECT, Settings, SettingsError, load_settings
from scripts import apis
from scripts.log_files import LogFile
from scripts.ports import HOST, PortInUseError, check_free, listed_problems

READY_WITHIN, TAIL = 180.0, 15  # seconds, and lines of a log
KEYS = ("API_KEY", "REVIEW_KEY", "KEYS_FILE")
OLD_RUNS = "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED"  # Prefect keeps finished flow runs for ever without it
OF_ONE_PROBLEM = ("worker", "api")  # all problems share the other processes of the Procfile


class NotReadyError(TimeoutError):
    """A part of the stack did not answer in time."""


def on_own_servers(settings: Settings) -> Settings:
    """Return the settings with the addresses of the stack's own MLflow and Prefect; the environment does not count."""
    return settings.model_copy(
        update={
            "mlflow_uri": f"http://{HOST}:{settings.mlflow_port}",
            "mlflow_page": f"http://{HOST}:{settings.mlflow_port}",
            "prefect_api_url": f"http://{HOST}:{settings.prefect_port}/api",
            "prefect_page": f"http://{HOST}:{settings.prefect_port}",
        }
    )


def process_environment(settings: Settings) -> dict[str, str]:
    """Return the environment of the stack's processes: their addresses, and options for quiet, small servers."""
    environment = {
        **os.environ,
        # Settings without a key must win over a key in the shell.
        **dict.fromkeys(KEYS, ""),
        **settings.environment(),
        # MLflow's job runners take four times as much memory as the rest of its server.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "STATE_DIR": str(settings.state_dir),
        "PREFECT_HOME": str(settings.state_dir / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_METRICS_ENABLED": "true",
        "DO_NOT_TRACK": "1",
        "PYTHONUNBUFFERED": "1",
    }
    environment.setdefault(OLD_RUNS, "events,flow_runs")
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    return environment


def health_checks(settings: Settings) -> dict[str, str]:
    """Return the addresses that answer when a process is ready, by the name of the process in the Procfile."""
    return {
        "mlflow": f"{settings.mlflow_uri}/health",
        "prefect": f"{settings.prefect_api_url}/health",
        "worker": f"{settings.prefect_api_url}/deployments/name/finetune/{settings.deployment}",
        "api": f"http://{HOST}:{settings.api_port}/livez",
        "monitor": f"http://{HOST}:{settings.monitor_port}/readyz",
    }


def answers(address: str) -> bool:
    """Return whether a server answers at an address, with a status of success."""
    try:
        return httpx.get(address, timeout=2.0, verify=_tls()).is_success
    except httpx.HTTPError:
        return False


@cache
def _tls() -> ssl.SSLContext:
    # Made once: httpx would read all certificates again for each question, which takes a core 24 ms.
    return ssl.create_default_context()


def wait_until_ready(
    settings: Settings,
    *,
    stopped: Callable[[], bool],
    logs: Mapping[str, str] | None = None,
    tell: Callable[[str, float], None] | None = None,
) -> None:
    """Wait until every part answers.

    Args:
        settings: have the addresses of the parts.
        stopped: returns whether the stack has ended, so that waiting is useless.
        logs: names of the log files that are not named after their part.
        tell: gets the name of each part as soon as it answers, and the seconds until then.

    Raises:
        NotReadyError: a part did not answer in time, or the stack stopped; the message names the part and its log.
    """
    begun = time.monotonic()
    missing = health_checks(settings)
    while missing:
        for name in [name for name, address in missing.items() if answers(address)]:
            del missing[name]
            if tell:
                tell(name, time.monotonic() - begun)
        if missing and (stopped() or time.monotonic() - begun > READY_WITHIN):
            name = next(iter(missing))
            raise NotReadyError(f"{name} is not ready: see {log_path(settings, (logs or {}).get(name, name))}")
        time.sleep(0.2 if missing else 0)


def log_path(settings: Settings, name: str) -> Path:
    """Return the log file of a process."""
    return settings.state_dir / "logs" / f"{name}.log"


def log_end(path: Path) -> str:
    """Return the last lines of a log file; only its name if it does not exist."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    return "\n  ".join([f"The end of {path}:", *text.splitlines()[-TAIL:]])


def beside(settings: Settings) -> Settings:
    """Return the settings of a problem that runs beside another one, with a port of its own unless API_PORT is set.

    The port is 8001 for the second problem of params.yaml, 8002 for the third, and so on.
    """
    problems = listed_problems()
    if "api_port" in settings.model_fields_set or settings.problem not in problems:
        return settings
    return settings.model_copy(update={"api_port": settings.api_port + problems.index(settings.problem)})


class LogFiles:
    """A honcho printer that writes the output of each process to a file of its own, and notes which one ends first."""

    width = 0

    def __init__(self, settings: Settings, started: Callable[[], None], names: Collection[str]) -> None:
        """Open the files of these processes; call `started` once, when all of them run."""
        self.ended: str | None = None
        self._started = started
        self._missing = len(names)
        log_path(settings, "").parent.mkdir(parents=True, exist_ok=True)
        self._files = {name: LogFile(log_path(settings, name)) for name in names}

    def write(self, message: Message) -> None:
        """Handle one line of a process, or of honcho itself."""
        text = message.data.decode("utf-8", "replace") if isinstance(message.data, bytes) else message.data
        if message.name != SYSTEM_PRINTER_NAME:
            self._files[message.name].write(text)
        elif text.endswith(" received\n"):
            print("stopping …", flush=True)
        elif "started (pid=" in text:
            self._missing -= 1
            if self._missing == 0:
                self._started()
        elif found := re.match(r"(\S+) stopped \(rc=", text):
            self.ended = self.ended or found[1]

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()


def run(settings: Settings, only: Sequence[str] = ()) -> int:
    """Run the processes of the Procfile, or `only` some, until a signal or until one ends; return the exit code."""
    commands = parse_procfile((PROJECT / "Procfile").read_text(encoding="utf-8")).processes
    # With two apis, each has a log of its own.
    names = {name: f"{name}-{settings.problem}" if only else name for name in only or commands}
    over = threading.Event()
    announcer = threading.Thread(target=_announce, args=(settings, names, over))
    logs = LogFiles(settings, announcer.start, names.values())
    manager = Manager(logs)
    for name, shown in names.items():
        manager.add_process(shown, commands[name], env=process_environment(settings), cwd=str(PROJECT))
    try:
        with apis.announced(settings):
            manager.loop()
    finally:
        over.set()
        logs.close()
        if announcer.ident is not None:
            announcer.join()
    if manager.returncode in (128 + signal.SIGINT, 128 + signal.SIGTERM):
        return 0
    name = logs.ended or "a process"
    ended = f"{name} ended (exit code {manager.returncode}), so the stack stopped the rest."
    print(ended, log_end(log_path(settings, name)), file=sys.stderr)
    return 1


def _announce(settings: Settings, logs: Mapping[str, str], over: threading.Event) -> None:
    print(f"starting what `make up` needs for {settings.problem} …", flush=True)

    def tell(name: str, seconds: float) -> None:
        if name in logs:  # a second problem uses other parts of the stack that runs already
            print(f"  {name:<8} is ready after {seconds:.1f} s", flush=True)

    try:
        wait_until_ready(settings, stopped=over.is_set, logs=logs, tell=tell)
    except NotReadyError as error:
        if not over.is_set():
            print(error, file=sys.stderr, flush=True)
        return
    print(f"  monitor  {settings.monitor_page}/?problem={settings.problem}")
    print(f"  api      http://{HOST}:{settings.api_port}/docs")
    print(f"  MLflow   {settings.mlflow_page}\n  Prefect  {settings.prefect_page}")
    print(f"  logs     {log_path(settings, '*')}")
    print("ready; Ctrl-C stops everything. No model yet? `make train` in another terminal.", flush=True)


def main() -> int:
    """Start the stack, or the worker and the api of a problem beside a running stack."""
    try:
        settings = on_own_servers(load_settings())
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(settings.state_dir / "stack.lock", timeout=0):
                check_free(settings)
                apis.forget(settings)
                return run(settings)
        except Timeout:
            settings = beside(settings)
            check_free(settings, OF_ONE_PROBLEM)
            return run(settings, OF_ONE_PROBLEM)
    except (SettingsError, PortInUseError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    sys.exit(main())

"""A lab in a temporary folder, with prepared data and free ports; no server runs in it."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.settings import PROJECT, Settings
from scripts.parts import free_port
from scripts.ports import HOST
from scripts.stack import process_environment

TAIL = 2000  # characters of a failed program's output that the error shows


@contextmanager
def lab() -> Iterator[Settings]:
    """Yield the settings of a fresh lab with prepared data; no server runs in it."""
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        home = Path(folder).resolve()
        mlflow, prefect, api = free_port(), free_port(), free_port()
        settings = Settings(
            lab_home=home,
            database_url=f"sqlite:///{home}/data/lab.db",
            mlflow_port=mlflow,
            prefect_port=prefect,
            api_port=api,
            mlflow_uri=f"http://{HOST}:{mlflow}",
            prefect_api_url=f"http://{HOST}:{prefect}/api",
        )
        python(settings, "-m", "scripts.get_data")
        python(settings, "preprocess.py")
        yield settings


def python(settings: Settings, *arguments: str) -> float:
    """Run a Python program of the project in the lab; return its duration in seconds."""
    start = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT, env=process_environment(settings), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ended.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{(ended.stdout + ended.stderr)[-TAIL:]}")
    return time.perf_counter() - start


def say(what: str) -> None:
    """Print the progress to standard error, apart from the results."""
    print(f"{time.strftime('%H:%M:%S')}  {what}", file=sys.stderr, flush=True)


def uvicorn(app: str, port: int) -> list[str]:
    """Return the command that serves an application in one uvicorn process."""
    return [sys.executable, "-m", "uvicorn", app, "--host", HOST, "--port", str(port)]

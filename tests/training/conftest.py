"""A Dask cluster on this machine, candidates that sign, wait or fail, and `main.py` with candidates that wait."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import mlflow
import pytest
from sklearn.linear_model import LogisticRegression

from common.problem import Candidate, Classifier, Floats, Ints, Problem
from common.registry.client import Version
from common.settings import PROJECT, Settings
from scripts.parts import wait_for
from scripts.stack import process_environment
from tests import servers
from training import executors


@pytest.fixture(scope="session")
def dask_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with two workers, each a process of its own."""
    folder = tmp_path_factory.mktemp("dask")
    with servers.dask_scheduler(folder) as (address, _), ExitStack() as workers:
        for name in ("first", "second"):
            workers.enter_context(servers.dask_worker(address, folder / name))
        yield address


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes pay after the first fit, and there are two cores."""
    monkeypatch.setattr(executors, "START_SECONDS", 0.0)
    monkeypatch.setattr(executors, "cpu_count", lambda: 2)


def signing(number: int) -> Candidate:
    """A candidate whose model carries the id of the process that has fitted it."""

    def fit(X: Floats, y: Ints) -> Classifier:
        model: Classifier = LogisticRegression(C=number + 1, max_iter=1000).fit(X, y)
        vars(model)["fitted_by"] = os.getpid()
        return model

    return Candidate({"n": number}, fit)


def waiting(number: int, folder: Path, here: int = 0) -> Candidate:
    """A candidate that says in `folder` who fits it, and waits there for the file `go`, but not in process `here`."""
    signed = signing(number)

    def fit(X: Floats, y: Ints) -> Classifier:
        if os.getpid() != here:
            (folder / str(os.getpid())).touch()
            deadline = time.monotonic() + 120
            while not (folder / "go").exists():
                if time.monotonic() > deadline:
                    raise TimeoutError(f"nobody says go in {folder}")
                time.sleep(0.02)
        return signed.fit(X, y)

    return replace(signed, fit=fit)


def deadly(number: int, here: int) -> Candidate:
    """A candidate that ends the process that fits it, unless it is `here`."""
    signed = signing(number)

    def fit(X: Floats, y: Ints) -> Classifier:
        if os.getpid() != here:
            os._exit(1)
        return signed.fit(X, y)

    return replace(signed, fit=fit)


def unsendable(number: int) -> Candidate:
    """A candidate that cannot be sent to another process."""
    lock, signed = threading.Lock(), signing(number)

    def fit(X: Floats, y: Ints) -> Classifier:
        with lock:
            return signed.fit(X, y)

    return replace(signed, fit=fit)


def failing(number: int) -> Candidate:
    """A candidate whose fit raises an error with the size of its rows."""

    def fit(X: Floats, y: Ints) -> Classifier:
        raise LookupError(f"not with {len(y)} rows of {X.shape[1]}")

    return replace(signing(number), fit=fit)


def of(problem: Problem, *candidates: Candidate) -> Problem:
    """Return a problem with other candidates."""
    return replace(problem, candidates=lambda: list(candidates))


def processes_in(folder: Path) -> set[str]:
    """Return the ids of the processes that have begun to fit a waiting candidate."""
    return {path.name for path in folder.iterdir()} - {"go"}


def bundle_of(settings: Settings, version: Version) -> bytes:
    """Return the ONNX file of a registered version."""
    folder = settings.lab_home / "downloaded" / str(version.number)
    path = mlflow.artifacts.download_artifacts(f"models:/{version.name}/{version.number}", dst_path=str(folder))
    return (Path(path) / "model.onnx").read_bytes()


def aliases(settings: Settings, problem: Problem) -> tuple[list[int | None], list[int | None]]:
    """Return the versions of champion and of challenger, each of the ONNX and of the scikit-learn model."""
    client, names = mlflow.MlflowClient(settings.mlflow_uri), (problem.onnx_name, problem.sklearn_name)
    known = [client.get_registered_model(name).aliases for name in names]
    champion, challenger = ([each.get(alias) for each in known] for alias in ("champion", "challenger"))
    return [each and int(each) for each in champion], [each and int(each) for each in challenger]


# main.py, whose candidates wait in the folder that is its last argument; `here` is a process that does not wait.
WAITING_MAIN = """
import os, pathlib, runpy, sys
from common.problem import get_problem
from tests.training.conftest import of, waiting
from training import executors
import common.problem
executors.START_SECONDS, executors.cpu_count = 0.0, lambda: 2
folder, iris = pathlib.Path(sys.argv.pop()), get_problem("iris")
common.problem.get_problem = lambda _: of(iris, *[waiting(number, folder, os.getpid()) for number in range(6)])
runpy.run_path("main.py", run_name="__main__")
"""


@contextmanager
def waiting_main(settings: Settings, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `main.py` in a session of its own; yield it when two processes fit and wait in a folder."""
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", WAITING_MAIN, *arguments, str(folder)],
        cwd=PROJECT, env=process_environment(settings), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as started:  # fmt: skip
        wait_for("two processes that fit", lambda: len(processes_in(folder)) == 2)
        yield started

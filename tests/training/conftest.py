"""A Dask cluster on this machine, and candidates that tell who has fitted them."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression

from common.problem import Candidate, Classifier, Floats, Ints, Problem
from tests import servers


@pytest.fixture(scope="session")
def dask_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with two workers, each a process of its own."""
    folder = tmp_path_factory.mktemp("dask")
    with servers.dask_scheduler(folder) as (address, _), ExitStack() as workers:
        for name in ("first", "second"):
            workers.enter_context(servers.dask_worker(address, folder / name))
        yield address


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


def of(problem: Problem, *candidates: Candidate) -> Problem:
    """Return a problem with other candidates."""
    return replace(problem, candidates=lambda: list(candidates))


def processes_in(folder: Path) -> set[str]:
    """Return the ids of the processes that have begun to fit a waiting candidate."""
    return {path.name for path in folder.iterdir()} - {"go"}

"""Fixtures: an empty store, once on SQLite and once on PostgreSQL; what a version carries; a webhook."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.problem import Problem
from common.store import Store
from monitor.statistics.reference import Reference
from tests.monitor.references import reference_of
from tests.receiver import Receiver, receiving


@pytest.fixture(params=["sqlite", "postgresql"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store of the test's own."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else f"sqlite:///{tmp_path}/lab.db"
    store = Store(url)
    yield store
    store.close()


@pytest.fixture(scope="session")
def learnt(problem: Problem) -> Reference:
    """What version 1 of a model carries that has learnt from all of iris."""
    return reference_of(problem, problem.load(None))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server

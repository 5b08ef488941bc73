"""Fixtures: an empty store, once on SQLite and once on PostgreSQL; a reference."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from common.problem import Problem, Table
from common.store import Store
from monitor.statistics.reference import Reference
from tests.monitor.references import reference_of


@pytest.fixture
def kept(either_url: str) -> Iterator[Store]:
    """A store of the test's own."""
    with closing(Store(either_url)) as store:
        yield store


@pytest.fixture(scope="session")
def table(problem: Problem) -> Table:
    return problem.load(None)


@pytest.fixture(scope="session")
def learnt(problem: Problem, table: Table) -> Reference:
    """The reference of version 1, a model that has learnt from all of iris."""
    return reference_of(problem, table)

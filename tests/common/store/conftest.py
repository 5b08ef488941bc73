"""Fixtures: an empty store, once on SQLite and once on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.store import Store


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/data/lab.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database: a test that asks for it runs on both."""
    fixture = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    return str(request.getfixturevalue(fixture))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    yield from _opened(url)


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[Store]:
    """For features that only SQLite has."""
    yield from _opened(sqlite_url)


@pytest.fixture
def postgres_store(postgres_url: str) -> Iterator[Store]:
    """For features that only PostgreSQL has."""
    yield from _opened(postgres_url)


def _opened(url: str) -> Iterator[Store]:
    opened = Store(url)
    yield opened
    opened.close()

"""Fixtures: an empty store on one of the two databases; `store` is on both."""

from collections.abc import Iterator

import pytest

from common.store import Store
from tests.conftest import opened


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[Store]:
    """For features that only SQLite has."""
    yield from opened(sqlite_url)


@pytest.fixture
def postgres_store(postgres_url: str) -> Iterator[Store]:
    """For features that only PostgreSQL has."""
    yield from opened(postgres_url)

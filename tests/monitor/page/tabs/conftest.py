"""Fixtures: a source of the tabs, on SQLite and on PostgreSQL, empty or with a log of some days."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import numpy as np
import pytest

from common.store import Store
from monitor.page.view import Backends
from monitor.statistics.reference import CategoryReference, NumberReference, Reference
from tests.common.store.rows import CLASSES, FEATURES
from tests.monitor.page.tabs.log import Log, write_log
from tests.monitor.references import backends_of

if TYPE_CHECKING:
    from tests.postgres import Postgres


@pytest.fixture
def store(kept: Store) -> Store:
    """An empty store."""
    return kept


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Log]]:
    """A store with a log of some days, for all the tests that only read it, and the log."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('written')}/lab.db"
        else:
            server: Postgres = request.getfixturevalue("postgres")
            url = stack.enter_context(server.database())
        store = stack.enter_context(closing(Store(url)))
        yield store, write_log(store)


@pytest.fixture
def backends(store: Store) -> Backends:
    return backends_of(store)


@pytest.fixture(scope="session")
def reference() -> Reference:
    number = NumberReference(
        rows=120,
        mean=3.0,
        std=1.0,
        quantiles=np.linspace(1.0, 5.0, 101),
        edges=np.array([2.0, 4.0]),
        shares=np.array([0.25, 0.5, 0.25]),
    )
    return Reference(
        version=2,
        classes=CLASSES,
        class_counts=dict(zip(CLASSES, (40, 41, 39), strict=True)),
        features=dict.fromkeys(FEATURES, number),
        answers=CategoryReference(30, dict.fromkeys(CLASSES, 1 / 3)),
        confidence=None,
    )


@pytest.fixture
def known(store: Store, reference: Reference) -> Backends:
    """A source that knows the served version."""
    return backends_of(store, reference)


@pytest.fixture
def logged(written: tuple[Store, Log], reference: Reference) -> Backends:
    """A source with a log, to read only, that knows the served version."""
    return backends_of(written[0], reference)


@pytest.fixture
def log(written: tuple[Store, Log]) -> Log:
    """The log of `logged`."""
    return written[1]

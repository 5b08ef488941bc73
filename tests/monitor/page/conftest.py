"""Fixtures: a browser, and the page with tabs of the tests' own, served on a real socket."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser

from common.store import Store
from monitor.follow_registry import AliasedVersions
from monitor.page.routes import add_page
from scripts.pictures import chromium
from tests.common.store.rows import MODEL, prediction, shadow
from tests.conftest import served
from tests.monitor.page.browser import Visit, visiting
from tests.monitor.page.samples import Shown, tabs_of
from tests.monitor.references import backends_of


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Not for the whole session: while it is there, this thread has an event loop, and others could not begin one.
    with chromium() as found:
        yield found


@pytest.fixture
def visit(browser: Browser, client: httpx.Client) -> Iterator[Visit]:
    """Open a path of the page that the test is about."""
    with visiting(browser, str(client.base_url)) as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{tmp_path}/lab.db")) as store:
        yield store


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.fixture
def client(store: Store, shown: Shown) -> Iterator[httpx.Client]:
    """A client of the page: iris has the versions 1, 3 and, in the shadow, 4; breast_cancer has 2."""
    now = datetime.now(UTC)
    store.predictions.write(
        [
            prediction("a", at=now - timedelta(days=3)),
            prediction("b", at=now, version=3),
            shadow("b", version=4) | {"predicted_at": now},
            prediction("c", at=now, version=2, problem="breast_cancer"),
        ]
    )
    store.champions.note(MODEL, 3)
    app = FastAPI(title="Monitor")
    app.state.backends = backends_of(store, aliases=AliasedVersions(3, 4))
    app.state.problem = "iris"
    add_page(app, tabs_of(shown))
    with served(app) as found:
        yield found

"""A person takes a correction back on the page, after the page has said what that does."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, expect
from pydantic import SecretStr

from common.settings import Settings
from common.store import Store
from monitor.monitor import create_app
from tests.common.store.rows import MODEL, prediction
from tests.conftest import StartApi, served
from tests.monitor.page.browser import PHONE, WIDE, Visit, assert_usable, visiting
from tests.monitor.page.tabs.kept import learn

KEY = "correct horse"
ONE = "/tab/corrections?problem=iris&correction=lie"

Asked = tuple[Visit, Store]


@pytest.fixture
def learnt(offline: Settings, browser: Browser, start_api: StartApi) -> Iterator[Asked]:
    """A monitor with its api, and a store with a correction that version 3 has learnt, which gave two answers."""
    settings, now = offline.model_copy(update={"api_key": SecretStr(KEY)}), datetime.now(UTC)
    with closing(Store(settings.database_url)) as store:
        store.predictions.write([prediction(name, version=3, at=now) for name in "ab"])
        store.champions.note(MODEL, 3)
        learn(store, "lie", 0)
        store.trust.versions.learnt("iris", 3)
        store.suggestions.trained(["lie"], 3)
        with start_api(settings) as api:
            here = settings.model_copy(update={"api_url": str(api.base_url)})
            with served(create_app(here)) as monitor, visiting(browser, str(monitor.base_url)) as visit:
                yield visit, store


def test_a_correction_is_taken_back_once_a_person_has_seen_what_that_does(learnt: Asked) -> None:
    visit, store = learnt
    page = visit("/tab/corrections")
    page.get_by_role("link", name="history, take back").click()
    page.get_by_label("Key of the reviewer (API_KEY)").fill(KEY)
    page.get_by_label("Reason").fill("a wrong label")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Take back").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Take this correction back?")
    expect(page.locator("main")).to_contain_text("version 3 learnt")
    expect(page.get_by_role("row").last).to_contain_text("version 32")
    assert store.suggestions.get("lie").state == "trained"  # type: ignore[union-attr]
    page.get_by_label("Key of the reviewer (API_KEY)").fill(KEY)
    page.get_by_role("button", name="Take it back").click()
    expect(page.locator("#correction .note").first).to_contain_text("It is withdrawn.")
    expect(page.locator("#correction tbody tr").last).to_contain_text("withdrawn key a wrong label")
    expect(page.get_by_role("button", name="Take back")).to_have_count(0)


def test_a_person_who_keeps_the_correction_comes_back_to_it(learnt: Asked) -> None:
    visit, store = learnt
    page = visit(ONE)
    page.get_by_label("Key of the reviewer").fill(KEY)
    page.get_by_label("Reason").fill("a wrong label")
    page.get_by_role("button", name="Take back").click()
    page.get_by_role("link", name="Keep it").click()
    expect(page.get_by_role("button", name="Take back")).to_be_visible()
    assert store.suggestions.get("lie").state == "trained"  # type: ignore[union-attr]


def test_a_withdrawal_with_a_wrong_key_is_explained(learnt: Asked) -> None:
    visit, _ = learnt
    page = visit(ONE, noisy=True)
    page.get_by_label("Key of the reviewer").fill("wrong")
    page.get_by_label("Reason").fill("a wrong label")
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The correction was not taken back")
    expect(page.locator("main")).to_contain_text("The api answers 401")


@pytest.mark.parametrize(
    ("viewport", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (PHONE, "light")], ids=["light", "dark", "375 px"]
)
def test_everybody_can_use_both_steps(learnt: Asked, viewport: dict[str, int], scheme: str) -> None:
    page = learnt[0](ONE, viewport=viewport, color_scheme=scheme)
    assert_usable(page, viewport["width"])
    page.get_by_label("Key of the reviewer").fill(KEY)
    page.get_by_label("Reason").fill("a wrong label")
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Take this correction back?")
    assert_usable(page, viewport["width"])

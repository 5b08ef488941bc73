"""A person takes corrections back on the page, after the page has said what that does."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr

from common.settings import Settings
from common.store import Store
from monitor.monitor import create_app
from tests.common.keys.test_keyring import add
from tests.common.store.rows import MODEL, prediction
from tests.conftest import StartApi, served
from tests.monitor.page.browser import PHONE, POLL, WIDE, Visit, assert_usable, visiting
from tests.monitor.page.tabs.kept import learn

KEY, CLIENT = "correct horse", "192.0.2.1"
NAMES = ("lie", "first", "second", "third")  # all but the first one are of one client
FORM = "Take the correction back"
ONE = "/tab/corrections?problem=iris&correction=lie"

Asked = tuple[Visit, Store]


@pytest.fixture
def learnt(offline: Settings, browser: Browser, start_api: StartApi) -> Iterator[Asked]:
    """A monitor with its api, and a store with corrections that version 3 has learnt, which gave two answers."""
    settings, now = offline.model_copy(update={"api_key": SecretStr(KEY)}), datetime.now(UTC)
    with closing(Store(settings.database_url)) as store:
        store.predictions.write([prediction(name, version=3, at=now) for name in "ab"])
        store.champions.note(MODEL, 3)
        for row, name in enumerate(NAMES):
            learn(store, name, row, source=CLIENT if row else None)
        store.trust.versions.learnt("iris", 3)
        store.suggestions.trained(list(NAMES), 3)
        with start_api(settings) as api:
            here = settings.model_copy(update={"api_url": str(api.base_url)})
            with served(create_app(here)) as monitor, visiting(browser, str(monitor.base_url), KEY) as visit:
                yield visit, store


def ask(page: Page) -> None:
    """Ask what it would do to take the correction back."""
    form = page.get_by_role("form", name=FORM)
    form.get_by_label("Reason").fill("a wrong label")
    form.get_by_role("button", name="Take back").click()


def test_a_correction_is_taken_back_once_a_person_has_seen_what_that_does(learnt: Asked) -> None:
    visit, store = learnt
    page = visit("/tab/corrections")
    page.locator("#row-lie").get_by_role("link", name="history").click()
    expect(page.get_by_role("button", name="Take back all")).to_have_count(0)
    form = page.get_by_role("form", name=FORM)
    form.get_by_label("Reason").fill("a wrong label")
    page.keyboard.press("Enter")
    form.get_by_role("button", name="Take back").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Take this correction back?")
    expect(page.locator("main")).to_contain_text("version 3 learnt")
    expect(page.get_by_role("row").last).to_contain_text("version 32")
    assert store.suggestions.get("lie").state == "trained"  # type: ignore[union-attr]
    page.get_by_role("button", name="Take it back").click()
    expect(page.locator("#correction .note").first).to_contain_text("It is withdrawn.")
    expect(page.locator("#correction tbody tr").last).to_contain_text("withdrawn key a wrong label")
    expect(page.get_by_role("button", name="Take back")).to_have_count(0)


def test_a_person_who_keeps_the_correction_comes_back_to_it(learnt: Asked) -> None:
    visit, store = learnt
    page = visit(ONE)
    ask(page)
    page.get_by_role("link", name="Keep it").click()
    expect(page.get_by_role("button", name="Take back")).to_be_visible()
    assert store.suggestions.get("lie").state == "trained"  # type: ignore[union-attr]


def state(store: Store, name: str) -> str:
    found = store.suggestions.get(name)
    assert found
    return found.state


def test_selected_corrections_are_taken_back_together(learnt: Asked) -> None:
    visit, store = learnt
    page = visit("/tab/corrections")
    page.get_by_label("Reason").fill("wrong labels")
    form = page.get_by_role("form", name="Take selected corrections back")
    form.get_by_label("Select all 4").check()
    for name in ("lie", "second"):
        page.get_by_label(f"Select correction {name}").uncheck()
    page.clock.run_for(POLL)
    form.get_by_role("button", name="Take selected back").click()
    expect(page.locator("main")).to_contain_text("Selected corrections: 2, because: wrong labels")
    expect(page.get_by_role("row").last).to_contain_text("version 32")
    page.get_by_role("button", name="Take them back").click()
    expect(page.get_by_label("Select all 2")).to_be_visible()
    expect(page.locator("#row-second")).to_contain_text("trained")
    expect(page.locator("#row-first")).to_have_count(0)
    assert {name: state(store, name) for name in NAMES} == dict.fromkeys(("lie", "second"), "trained") | dict.fromkeys(
        ("first", "third"), "withdrawn"
    )


def test_all_corrections_of_a_client_are_taken_back_together(learnt: Asked) -> None:
    visit, store = learnt
    page = visit("/tab/corrections?problem=iris&correction=second")
    form = page.get_by_role("form", name=FORM)
    form.get_by_label("Reason").fill("a broken sensor")
    form.get_by_role("button", name=f"Take back all of {CLIENT}").click()
    expect(page.locator("main")).to_contain_text(f"All corrections of {CLIENT}: 3, because: a broken sensor")
    assert state(store, "first") == "trained"
    page.get_by_role("button", name="Take them back").click()
    expect(page.locator("#correction .note").first).to_contain_text("It is withdrawn.")
    assert {name: state(store, name) for name in NAMES} == dict.fromkeys(NAMES, "withdrawn") | {"lie": "trained"}


def test_a_withdrawal_by_a_person_whose_role_is_too_low_is_explained(learnt: Asked, offline: Settings) -> None:
    page = learnt[0](ONE, noisy=True, key=add(offline, "reader", "read"))
    ask(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("No correction was taken back")
    expect(page.locator("main")).to_contain_text("The api answers 403: the role of this key is read")


@pytest.mark.parametrize(
    ("viewport", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (PHONE, "light")], ids=["light", "dark", "375 px"]
)
def test_everybody_can_use_both_steps(learnt: Asked, viewport: dict[str, int], scheme: str) -> None:
    page = learnt[0](ONE, viewport=viewport, color_scheme=scheme)
    assert_usable(page, viewport["width"])
    ask(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Take this correction back?")
    assert_usable(page, viewport["width"])

"""The pages of lineage in a browser: everybody can follow an answer to the corrections behind it, and back."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI
from playwright.sync_api import Page, expect

from common.store import Store
from common.store.judgements import JudgementRecord
from monitor.page.routes import add_page
from monitor.page.tabs import TABS
from tests.common.store.rows import CLASSES, MODEL, SETOSA, VERSICOLOR, prediction, shadow, suggestion
from tests.conftest import served
from tests.monitor.page.browser import PHONE, WIDE, Visit, assert_usable
from tests.monitor.references import backends_of

TODAY = datetime.now(UTC)
PATHS = ("predictions/new", "versions/2", "corrections/c0", "predictions/old", "versions/1", "corrections/c7")
BECAUSE = "against the anchor, the candidate gains 3 rows and loses none of 500: at worst -0.8 points"


@pytest.fixture
def store(kept: Store) -> Store:
    """A store in which version 2 has learnt eight corrections of answers of version 1."""
    others = [prediction(f"p{number}", CLASSES[number % 3], at=TODAY) for number in range(1, 7)]
    kept.predictions.write([prediction("old", VERSICOLOR, at=TODAY), *others])
    names = [f"c{number}" for number in range(8)]
    for number, name in enumerate(names):
        named = {0: "old", 7: None}.get(number, f"p{number}")
        kept.correct(suggestion(name, prediction_id=named, source="192.0.2.1" if number % 2 else "key"), replace=True)
    kept.suggestions.row_written(*names)
    kept.trust.versions.learnt("iris", 2)
    details = {"because": BECAUSE, "anchor": 1, "champion": 1, "candidates": {"continued": {}, "refitted": {}}}
    kept.judgements.add(JudgementRecord("j", "iris", TODAY, "accepted", 2, "refitted", details))
    kept.suggestions.trained(names, 2, "j")
    kept.champions.note(MODEL, 1)
    kept.champions.note(MODEL, 2, "promoted", "of 300 ground truths, only version 2 answered 9 rightly")
    kept.predictions.write([prediction("new", version=2, at=TODAY), shadow("new", version=1) | {"predicted_at": TODAY}])
    return kept


@pytest.fixture
def client(store: Store) -> Iterator[httpx.Client]:
    app = FastAPI(title="Monitor")
    app.state.backends, app.state.problem = backends_of(store), "iris"
    add_page(app, TABS)
    with served(app) as found:
        yield found


def stages(page: Page) -> list[str]:
    return page.locator(".stage h2").all_text_contents()


def test_from_an_answer_to_the_answer_that_was_corrected_by_links(visit: Visit) -> None:
    page = visit("/tab/predictions?id=new")
    page.locator("#predictions td.id a").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Prediction new")
    assert stages(page)[-1] == "This prediction"
    page.get_by_role("link", name="Version 2 Champion").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Version 2")
    expect(page.locator(".facts")).to_contain_text(f"accepted: {BECAUSE}")
    expect(page.locator(".facts")).to_contain_text("champion 1, anchor 1")
    expect(page.locator(".stage").first).to_contain_text("and 3 more")
    expect(page.locator("#learnt tbody tr")).to_have_count(8)
    page.get_by_role("link", name=f"{VERSICOLOR} answer of version 1").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Prediction old")
    assert page.locator("[aria-current=true] b").all_text_contents() == [VERSICOLOR]
    page.get_by_role("link", name=f"{SETOSA} trained; from key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Correction c0")
    assert stages(page)[2:] == ["Versions that have learnt it", "Their answers"]
    expect(page.locator(".stage").nth(3)).to_contain_text("1 as champion")


def test_the_corrections_of_a_version_come_page_by_page(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.page.lineage.ROWS", 3)
    page = visit("/lineage/versions/2")
    seen: list[str] = []
    for _ in range(3):
        seen += page.locator("#learnt tbody td:last-child").all_text_contents()
        if page.get_by_role("link", name="Next page").count():
            page.get_by_role("link", name="Next page").click()
            page.wait_for_url("**after=*")
            expect(page.locator("html[data-ready=true]")).to_be_attached()
    assert sorted(set(seen)) == [f"c{number}" for number in range(8)]


def test_the_tab_of_the_corrections_leads_there(visit: Visit) -> None:
    page = visit("/tab/corrections")
    page.locator("#corrections td.id a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Correction c")


@pytest.mark.parametrize("either_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("viewport", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (PHONE, "light")], ids=["light", "dark", "375 px"]
)
def test_everybody_can_use_every_page(visit: Visit, viewport: dict[str, int], scheme: str) -> None:
    for path in PATHS:
        page = visit(f"/lineage/{path}", viewport=viewport, color_scheme=scheme)
        assert page.locator(".stage").count() >= 3
        assert_usable(page, viewport["width"])
        page.context.close()


@pytest.mark.parametrize("either_url", ["sqlite"], indirect=True)
def test_the_picture_can_be_followed_with_the_keyboard_alone(visit: Visit) -> None:
    page = visit("/lineage/predictions/new")
    page.locator("a.box").first.focus()
    for _ in range(2):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.classList.contains('box')")
    page.keyboard.press("Enter")
    page.wait_for_url("**/lineage/*/*?problem=iris")


def test_what_is_not_known_and_what_is_erased_is_said(visit: Visit, store: Store) -> None:
    page = visit("/lineage/versions/2")
    expect(page.locator(".unknown")).to_contain_text("The registry did not answer")
    store.trust.erasures.erase("old", "key")
    page = visit("/lineage/predictions/old", noisy=True)
    expect(page.locator("main")).to_contain_text("Prediction old was erased on ")
    page = visit("/lineage/corrections/c0")
    expect(page.locator(".stage").first).to_contain_text("not in the log")
    for path in ("predictions/none", "versions/99", "corrections/none"):
        page = visit(f"/lineage/{path}", noisy=True)
        expect(page.get_by_role("heading", level=1)).to_have_text("This page cannot be shown")

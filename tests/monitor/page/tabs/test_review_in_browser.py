"""Reviewers in a browser see each correction in quarantine with its picture, and decide with mouse or keyboard."""

import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from pydantic import SecretStr

from common.settings import Settings
from common.store import Store
from monitor.monitor import create_app
from monitor.page.tabs.review import PAGE
from tests.common.store.rows import SETOSA, VERSICOLOR
from tests.common.store.trust.queued import DETAILS, draw, quarantine
from tests.conftest import StartApi, served
from tests.monitor.page.browser import PHONE, POLL, WIDE, Visit, assert_usable, visiting

KEY, OTHER, TAB = "correct horse", "battery staple", "/tab/corrections"

Asked = tuple[Visit, Store]


@pytest.fixture
def queue(offline: Settings, browser: Browser, start_api: StartApi) -> Iterator[Asked]:
    """A monitor in which the reviewer has logged in, and a store with three corrections in quarantine."""
    settings = offline.model_copy(update={"api_key": SecretStr(OTHER), "review_key": SecretStr(KEY), "vetting": "on"})
    with closing(Store(settings.database_url)) as store:
        draw(store)
        for name, place in (("a", [0.2, 0.1]), ("b", [0.2, 0.1]), ("far", [90.0, 0.0])):
            quarantine(store, name, "improbable", f"no known row near it is {SETOSA}", details={**DETAILS, "at": place})
        with start_api(settings) as api:
            here = settings.model_copy(update={"api_url": str(api.base_url)})
            with served(create_app(here)) as monitor, visiting(browser, str(monitor.base_url), KEY) as visit:
                yield visit, store


def form(page: Page) -> Locator:
    return page.locator("#quarantined form")


def card(page: Page, name: str) -> Locator:
    return page.locator(f"#review-{name}")


def states(store: Store) -> dict[str, str]:
    found = {name: store.suggestions.get(name) for name in ("a", "b", "far")}
    return {name: each.state for name, each in found.items() if each}


@pytest.mark.parametrize(
    ("viewport", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (PHONE, "light")], ids=["light", "dark", "375 px"]
)
def test_everybody_can_use_the_queue(queue: Asked, viewport: dict[str, int], scheme: str) -> None:
    visit, store = queue
    for number in range(PAGE):
        quarantine(store, f"more-{number}", "outlier")
    page = visit(TAB, viewport=viewport, color_scheme=scheme)
    expect(page.locator(".queue > li")).to_have_count(PAGE)
    assert_usable(page, viewport["width"])


def test_each_correction_has_a_picture_that_is_also_said_in_words(queue: Asked) -> None:
    page = queue[0](TAB)
    picture = card(page, "a").get_by_role("img")
    expect(picture).to_have_accessible_name(
        "Scatter plot of petal_length (across) and petal_width (up) with 3 training rows: Iris-setosa around "
        "(-1.5, -1), Iris-versicolor around (0.2, 0.1), Iris-virginica around (1.5, 1.25). This correction lies at "
        "(0.2, 0.1)."
    )
    marked = card(page, "a").locator("figure > svg .spot").bounding_box()
    ground = card(page, "a").locator("figure > svg .ground").bounding_box()
    assert marked
    assert ground
    for along, size, share in (("x", "width", 0.5656), ("y", "height", 0.5101)):
        middle = (marked[along] + marked[size] / 2 - ground[along]) / ground[size]  # type: ignore[literal-required]
        margin = 9 / (260 if along == "x" else 170)
        assert middle == pytest.approx(margin + share * (1 - 2 * margin), abs=0.02)
    expect(card(page, "far").get_by_role("img")).to_have_accessible_name(re.compile("beyond the edge of the picture"))
    expect(card(page, "far").locator("figcaption")).to_contain_text("this correction, beyond the edge")
    seen = card(page, "a").locator("figcaption .series-2").evaluate("(each) => getComputedStyle(each).stroke")
    assert seen == "rgb(213, 94, 0)"


def test_the_nearest_rows_stand_beside_the_correction(queue: Asked) -> None:
    page = queue[0](TAB)
    card(page, "a").get_by_text("Nearest rows").last.click()
    rows = card(page, "a").get_by_role("row")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text(f"this correction{SETOSA}")
    expect(rows.nth(2)).to_contain_text(f"nearest 1{VERSICOLOR}0.25")


def test_a_reviewer_with_a_keyboard_alone_approves_one_and_rejects_others_with_a_note(queue: Asked) -> None:
    visit, store = queue
    page = visit(TAB)
    form(page).get_by_label("Note").focus()
    page.keyboard.type("the label on the box")
    for name in ("Select all 3", "Approve selected", "Reject selected"):
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_accessible_name(name)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    box = page.get_by_label(f"Select {SETOSA}, correction far")
    expect(box).to_be_focused()
    expect(box).to_be_checked()
    page.clock.run_for(POLL)
    expect(box).to_be_checked()
    page.keyboard.press("Shift+Tab")
    expect(page.locator(":focus")).to_have_accessible_name("Reject selected")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator(".queue > li")).to_have_count(2)
    assert states(store) == {"a": "quarantined", "b": "quarantined", "far": "refused"}
    last = store.trust.events.of("far")[-1]
    assert (last.state, last.actor, last.reason) == ("rejected", "review key", "the label on the box")
    button = page.get_by_role("button", name=f"Approve {SETOSA}, correction a")
    button.focus()
    with page.expect_navigation():
        page.keyboard.press("Space")
    expect(page.locator(".queue > li")).to_have_count(1)
    assert states(store) == {"a": "received", "b": "quarantined", "far": "refused"}


def test_a_reviewer_keeps_the_place_and_the_selection_while_the_queue_grows(queue: Asked) -> None:
    visit, store = queue
    page = visit(TAB)
    page.get_by_label("Note").fill("half a wo")
    page.get_by_label(f"Select {SETOSA}, correction b").check()
    button = page.get_by_role("button", name=f"Approve {SETOSA}, correction a")
    button.focus()
    quarantine(store, "newer")
    page.clock.run_for(POLL)
    expect(page.locator(".queue > li").first).to_have_id("review-newer")
    expect(button).to_be_focused()
    expect(page.get_by_label("Note")).to_have_value("half a wo")
    expect(page.get_by_label(f"Select {SETOSA}, correction b")).to_be_checked()
    expect(page.get_by_label(f"Select {SETOSA}, correction newer")).not_to_be_checked()


def test_one_box_selects_all_and_the_last_review_empties_the_queue(queue: Asked) -> None:
    visit, store = queue
    page = visit(TAB)
    form(page).get_by_label("Select all 3").check()
    page.get_by_role("button", name="Approve selected").click()
    expect(page.locator("#quarantined .empty")).to_contain_text("No correction is in quarantine.")
    assert set(states(store).values()) == {"received"}


def test_without_scripts_a_review_works_too(queue: Asked) -> None:
    visit, store = queue
    page = visit(TAB, java_script_enabled=False)
    expect(form(page).get_by_label("Select all 3")).to_be_hidden()
    page.get_by_label(f"Select {SETOSA}, correction a").check()
    page.get_by_label(f"Select {SETOSA}, correction b").check()
    page.get_by_role("button", name="Reject selected").click()
    expect(page.locator(".queue > li")).to_have_count(1)
    assert states(store) == {"a": "refused", "b": "refused", "far": "quarantined"}


def test_a_key_that_reviews_nothing_and_a_review_that_came_too_late_are_explained(queue: Asked) -> None:
    visit, store = queue
    page = visit(TAB, noisy=True, key=OTHER)
    page.get_by_role("button", name=f"Approve {SETOSA}, correction a").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Not every correction was reviewed")
    expect(page.locator("main")).to_contain_text("this needs the review key in the header X-API-Key: log out, and log")
    page, other = visit(TAB, noisy=True), visit(TAB)
    for each, button in ((other, "Reject"), (page, "Approve")):
        each.get_by_role("button", name=f"{button} {SETOSA}, correction a").click()
    expect(page.locator("main")).to_contain_text("review key rejected correction a")
    assert states(store)["a"] == "refused"


def test_the_queue_is_read_page_by_page_and_by_rule(queue: Asked) -> None:
    visit, store = queue
    for number in range(PAGE):
        quarantine(store, f"more-{number}", "outlier")
    page = visit(f"{TAB}?problem=iris")
    page.get_by_role("link", name="Older").click()
    expect(page.locator(".pages")).to_contain_text("Page 2 of 2")
    expect(page.locator(".queue > li")).to_have_count(3)
    page.get_by_role("link", name="Newer").click()
    expect(page).to_have_url(re.compile(r"page=1#quarantined$"))
    page.get_by_role("link", name="improbable (3)").click()
    expect(page.locator(".queue > li")).to_have_count(3)
    expect(page.get_by_role("link", name="improbable (3)")).to_have_attribute("aria-current", "true")
    page.get_by_role("link", name="all rules").click()
    expect(page.locator(".queue > li")).to_have_count(PAGE)

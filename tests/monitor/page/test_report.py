"""The report prints to one sheet, whatever it has to say, and the words explain each statistic of the pages."""

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from playwright.sync_api import Browser, expect
from pydantic import SecretStr

from common.settings import Settings
from common.store import Store
from monitor.follow_registry import AliasedVersions, Unserved
from monitor.monitor import create_app
from monitor.page import aids
from monitor.page.panels import Panel
from monitor.page.routes import add_page
from monitor.page.tabs import TABS
from monitor.page.tabs.cells import METRIC_LABELS
from scripts.monitor_key import monitor_header
from scripts.pictures import take_overview
from scripts.report import ReportError, fetch_report, write_report
from tests.common.store.rows import MODEL, VERSICOLOR, prediction
from tests.common.store.trust.queued import quarantine
from tests.conftest import served
from tests.monitor.page.browser import PHONE, Visit, assert_usable, visiting
from tests.monitor.references import backends_of

MANY = 20
LONG = "against the champion, the candidate is right alone on 76 and wrong alone on 19 of 386 rows of the world. " * 2


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A page of a problem with more of everything than one sheet can hold."""
    now = datetime.now(UTC)
    with closing(Store(f"sqlite:///{tmp_path_factory.mktemp('report')}/lab.db")) as store:
        store.predictions.write(
            [prediction(f"p{n}", at=now - timedelta(seconds=n), version=MANY - 1) for n in range(MANY)]
        )
        store.feedback.give("p1", VERSICOLOR)
        kinds = ("accuracy", "drift", "outliers", "run_failed")
        found = {(kind, f"a subject of its own {n}"): LONG for kind in kinds for n in range(MANY)}
        store.alerts.settle("iris", set(kinds), found, now)
        for version in range(1, MANY):
            store.champions.note(MODEL, version, "promoted", LONG)
        quarantine(store, "odd")
        app = FastAPI()
        app.state.backends = backends_of(store, aliases=AliasedVersions(MANY - 1, None))
        app.state.backends.references._unserved["iris"] = [Unserved(n, f"refused: {LONG}") for n in range(30, 33)]
        app.state.problem = "iris"
        add_page(app, TABS)
        with served(app) as opened:
            yield opened


@pytest.fixture
def visit(browser: Browser, client: httpx.Client) -> Iterator[Visit]:
    with visiting(browser, str(client.base_url)) as opened:
        yield opened


def test_the_report_prints_to_one_sheet_of_paper(visit: Visit) -> None:
    page = visit("/report?problem=iris", ready=".headline")
    expect(page.locator(".headline")).to_contain_text("80 alerts are open")
    expect(page.get_by_role("img", name="predictions")).to_be_visible()
    sheets = re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))
    assert len(sheets) == 1
    assert [each["id"] for each in Axe().run(page).response["violations"]] == []


def test_the_report_is_written_as_one_file_that_needs_no_server(
    client: httpx.Client, offline: Settings, browser: Browser
) -> None:
    settings = offline.model_copy(update={"monitor_page": str(client.base_url).rstrip("/")})
    file = write_report(settings, since="2026-01-01")
    assert file == settings.state_dir / "report.html"
    text = file.read_text(encoding="utf-8")
    assert "2026-01-01 to " in text
    assert not re.search(r"(?:href|src)=", text)
    page = browser.new_page()
    page.goto(file.as_uri())
    assert page.locator(".headline").evaluate("(each) => getComputedStyle(each).fontWeight") == "600"
    page.close()


@pytest.mark.parametrize("names", [("api_key",), ("review_key",), ("api_key", "review_key")], ids=" and ".join)
def test_in_a_lab_with_keys_the_report_and_the_pictures_come_with_a_key(
    offline: Settings, browser: Browser, tmp_path: Path, names: tuple[str, ...]
) -> None:
    own = offline.model_copy(update={name: SecretStr(name) for name in names})
    with served(create_app(own)) as monitor:
        here = own.model_copy(update={"monitor_page": str(monitor.base_url).rstrip("/")})
        assert "<style>" in write_report(here).read_text(encoding="utf-8")
        take_overview(browser, here.monitor_page, tmp_path, monitor_header(here))
        assert (tmp_path / "demo.png").stat().st_size > 0
        without = here.model_copy(update=dict.fromkeys(names))
        with pytest.raises(ReportError, match=r"answers 401: .* set API_KEY"):
            write_report(without)


@pytest.mark.parametrize(
    ("since", "words"), [("yesterday", "answers 422: since"), ("", "no monitor answers at http://127.0.0.1:1")]
)
def test_a_report_that_cannot_be_had_says_why_and_leaves_the_last_one(
    client: httpx.Client, tmp_path: Path, since: str, words: str
) -> None:
    assert tmp_path.exists()
    where = str(client.base_url).rstrip("/") if since else "http://127.0.0.1:1"
    with pytest.raises(ReportError, match=words):
        fetch_report(where, "iris", since)


def shown(client: httpx.Client) -> Iterator[tuple[str, str]]:
    """Yield the place and the label of each statistic on the tabs: of figures, of columns, and of charts."""
    for tab in TABS:
        for panel in map(Panel.model_validate, client.get(f"/api/{tab.name}").raise_for_status().json()["panels"]):
            if panel.drawing == "figures":
                yield from ((panel.id, str(row[0])) for row in panel.rows)
            elif panel.drawing in {"table", "bars"}:
                statistics = [column for column in panel.shown() if column.kind in {"ratio", "number", "p"}]
                yield from ((panel.id, column.label) for column in statistics)


# Labels that need no sentence: they name a version, a share of rows in plain words, or a plain mean.
PLAIN = re.compile(
    r"(Champion|Challenger)(, version \d+)?|Mean.*|Value|Share( of them)?|Reference|Newest window|Number|Nearest.*"
)


def test_each_statistic_of_the_tabs_has_a_reading_aid(client: httpx.Client) -> None:
    found = list(shown(client))
    assert len(found) > 10
    assert [each for each in found if not aids.aid_of(each[1]) and not PLAIN.fullmatch(each[1])] == []
    assert all(aids.aid_of(label) for label in METRIC_LABELS.values())


def test_a_label_belongs_to_one_reading_aid_of_two_sentences() -> None:
    labels = [label for aid in aids.AIDS for label in aid.labels]
    assert len(labels) == len(set(labels))
    assert len({aid.anchor for aid in aids.AIDS}) == len(aids.AIDS)
    for aid in aids.AIDS:
        assert re.fullmatch(r"[A-Z0-9][^.]*(?:\d\.\d[^.]*)*\.", aid.what), aid.what
        assert re.fullmatch(r"[A-Z0-9][^.]*(?:\d\.\d[^.]*)*\.", aid.good), aid.good


@pytest.mark.parametrize("script", [True, False], ids=["script", "without script"])
def test_the_keyboard_opens_a_reading_aid_and_follows_it_to_the_words(visit: Visit, *, script: bool) -> None:
    page = visit("/", java_script_enabled=script, viewport=PHONE)
    button = page.locator("#metrics").get_by_role("button", name="About accuracy")
    note = page.locator("#aid-accuracy")
    expect(note).to_be_hidden()
    button.press("Enter")
    expect(note).to_contain_text("The share of right answers")
    expect(note).to_be_in_viewport(ratio=1)
    if script:
        assert [each["id"] for each in Axe().run(page).response["violations"]] == []
    page.keyboard.press("Escape")
    expect(note).to_be_hidden()
    button.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/words#accuracy$"))
    expect(page.locator("#accuracy")).to_contain_text("The share of right answers")
    expect(page.get_by_text("one set of feature values")).to_be_visible()
    if script:
        assert_usable(page, PHONE["width"])

"""The real tabs in a browser: they show what the store has, everybody can use them, and they heal."""
# the dash of intervals

import csv
import re
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr

from common.judgement.gate import ACCEPTED
from common.judgement.settle import settle
from common.settings import Settings
from common.store import Store
from monitor.follow_registry import AliasedVersions, Unserved
from monitor.monitor import create_app
from monitor.page.formatting import table_rows
from monitor.page.panels import Panel, Tab
from monitor.page.routes import add_page
from monitor.page.tabs import TABS
from monitor.page.view import FeedbackApi
from monitor.statistics.performance import measured
from monitor.statistics.reference import Reference, Results
from monitor.statistics.window import evaluate
from tests.common.keys.test_keyring import add
from tests.common.store.rows import CLASSES, MODEL, NOON, SETOSA, VERSICOLOR, prediction, suggestion
from tests.common.store.trust.queued import draw, quarantine
from tests.conftest import StartApi, served
from tests.monitor.page.browser import PHONE, POLL, WIDE, Visit, assert_drawn, assert_usable, chart, visiting
from tests.monitor.page.tabs.judges import class_scores
from tests.monitor.page.tabs.kept import learn, open_judgement, shifted_rows, write_window
from tests.monitor.page.tabs.log import FIRST, LAST, Log, write_log
from tests.monitor.page.tabs.replayed import finish_replay, iris_rows, page_replay
from tests.monitor.references import backends_of

if TYPE_CHECKING:
    from tests.postgres import Postgres

DAYS = f"since={FIRST}&until={LAST}"
SINCE = f"since={FIRST}"  # until today, when the corrections came
PATHS = ["/" if tab is TABS[0] else f"/tab/{tab.name}" for tab in TABS]


@pytest.fixture
def log(store: Store, reference: Reference) -> Log:
    """A store with data for every tab."""
    log = write_log(store)
    tested = Results(CLASSES, np.diag([10, 10, 10]))
    measures = [*measured({(SETOSA, VERSICOLOR): 60, (SETOSA, SETOSA): 60}, tested), *measured({}, tested, LAST)]
    evaluation = evaluate(shifted_rows(2.0), reference).model_copy(update={"performance": measures})
    write_window(store, evaluation, NOON.replace(day=LAST.day))
    store.alerts.settle("iris", {"drift"}, {("drift", "petal_width"): "petal_width has drifted"}, NOON)
    store.suggestions.add(suggestion("new"))
    for number, name in enumerate(("learnt", "refused")):
        learn(store, name, number)
    store.suggestions.trained(["learnt"], 2)
    store.suggestions.refused(["refused"], "the accuracy would fall")
    learn(store, "lie", 2)
    store.suggestions.trained(["lie"], 3)
    store.suggestions.quarantine(["lie"], "version 3 was taken back")
    quarantine(store, "odd")
    draw(store)
    store.champions.note(MODEL, 2, "promoted", "of 300 ground truths, only version 2 answered 9 rightly")
    unknown = [row.id for row in log.of("champion") if row.truth is None]
    store.judgements.add(open_judgement(3, *unknown[:3], judged_at=datetime.now(UTC)))
    finish_replay(store, page_replay(iris_rows(600)))
    return log


@pytest.fixture
def client(store: Store, reference: Reference, log: Log) -> Iterator[httpx.Client]:
    """A client of the page over that store, which knows the served version."""
    assert log.rows
    app = FastAPI(title="Monitor")
    backends = backends_of(store, reference, AliasedVersions(2, 3))
    feedback = FeedbackApi("http://127.0.0.1:1", "iris")
    app.state.backends = replace(backends, feedback=feedback, trusted_only=True)
    app.state.backends.references._unserved["iris"] = [Unserved(4, "refused: the label of row 0 differs")]
    app.state.problem = "iris"
    add_page(app, TABS)
    with served(app) as found:
        yield found


# The text of each cell as a person reads it: a browser leaves white space around it out, and a button is no value.
CELLS = """cells => cells.map((cell) => {
    const copy = cell.cloneNode(true);
    copy.querySelectorAll("button.copy").forEach((button) => button.remove());
    return copy.textContent.trim();
})"""


def written(page: Page, panel: str) -> list[list[str]]:
    """Return the cells of a table row by row, without their buttons."""
    rows = page.locator(f"#{panel} tbody tr").all()
    return [row.locator("th, td:not(.choices, .tick, .bars)").evaluate_all(CELLS) for row in rows]


def steps(page: Page, panel: str) -> list[list[str]]:
    """Return the words, the link and the command of each next step; a dash stands where a step has none."""
    found = []
    for step in page.locator(f"#{panel} .steps > li").all():
        links, commands = step.locator("a"), step.locator(".command code").all_text_contents()
        words = links.all_text_contents() or step.evaluate("step => [step.firstChild.textContent.trim()]")
        urls = [link.get_attribute("href") for link in links.all()]
        found.append([*words, *(urls or ["–"]), *(commands or ["–"])])
    return found


def copied(page: Page, panel: str) -> list[str | None]:
    """Return the texts that the buttons of a panel copy."""
    return [button.get_attribute("data-copy") for button in page.locator(f"#{panel} button.copy").all()]


@pytest.mark.parametrize("either_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("viewport", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (PHONE, "light")], ids=["light", "dark", "375 px"]
)
def test_everybody_can_use_every_tab(visit: Visit, viewport: dict[str, int], scheme: str) -> None:
    for path in PATHS:
        page = visit(f"{path}?{SINCE}", viewport=viewport, color_scheme=scheme)
        assert page.locator(".panel").count() > 0
        assert page.locator(".panel .empty").count() == 0, path
        assert_usable(page, viewport["width"])
        page.context.close()


@pytest.mark.parametrize("either_url", ["sqlite"], indirect=True)
def test_every_table_comes_as_csv(visit: Visit) -> None:
    for path in PATHS:
        page = visit(f"{path}?{SINCE}")
        for panel in page.locator(".panel").all():
            with page.expect_download() as download:
                panel.get_by_role("link", name=re.compile("^CSV of ")).click()
            first, *rows = csv.reader(Path(download.value.path()).read_text(encoding="utf-8").splitlines())
            shown = panel.locator(".queue > li")
            shown = shown if shown.count() else panel.locator(".found > li")
            shown = shown if shown.count() else panel.locator(".steps > li")
            shown = shown if shown.count() else panel.locator("dl > div, tbody tr")
            assert shown.count() == len(rows) > 0
            assert all(len(row) == len(first) for row in rows)
        page.context.close()


def test_the_champion_stands_beside_its_test_rows(visit: Visit) -> None:
    page = visit(f"/tab/metrics?{DAYS}")
    accuracy, setosa, *_, last = written(page, "tested")
    assert accuracy == ["Newest window", "Accuracy", "dropped", "120", "50.0 % (32.9–67.1)", "100 % (88.6–100)"]
    assert setosa[1:4] == ["Recall of Iris-setosa", "dropped", "120"]
    assert last == [f"Day {LAST}", "Recall of Iris-virginica", "not enough data", "0", "–", "100 % (72.2–100)"]


@pytest.mark.parametrize("either_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("tab", TABS, ids=lambda tab: tab.name)
def test_charts_figures_and_tables_show_the_numbers_of_their_panels(
    visit: Visit, client: httpx.Client, tab: Tab
) -> None:
    page = visit(f"{PATHS[TABS.index(tab)]}?{SINCE}")
    for panel in map(Panel.model_validate, client.get(f"/api/{tab.name}?{SINCE}").json()["panels"]):
        rows = table_rows(panel)
        expected = [[cell.text for cell in row] for row in rows]
        if panel.drawing == "figures":
            for selector, place in (("dt", 0), ("dd.value", 1)):
                shown = page.locator(f"#{panel.id} {selector}").all_text_contents()
                assert shown == [row[place].partition(" (")[0] for row in expected]
        elif panel.drawing == "cards":
            reasons = page.locator(f"#{panel.id} .why > p:first-child").all_text_contents()
            assert reasons == [f"{row[2]} {row[3]}" for row in expected]
        elif panel.drawing == "gauges":
            for selector, place in (("dt", 0), ("dd.value", 1), ("dd.words", 3)):
                assert page.locator(f"#{panel.id} {selector}").all_text_contents() == [row[place] for row in expected]
        elif panel.drawing == "findings":
            opened = page.locator(f"#{panel.id} .found summary").all_text_contents()
            assert [text.strip() for text in opened] == [f"{row[0]} {row[2]}" for row in expected]
            numbers = [row.locator("dd").all_text_contents() for row in page.locator(f"#{panel.id} .found > li").all()]
            assert numbers == [[cell for cell in row[3:] if cell != "–"] for row in expected]
        elif panel.drawing == "steps":
            assert steps(page, panel.id) == expected
            assert copied(page, panel.id) == [command for *_, command in expected if command != "–"]
        else:
            assert written(page, panel.id) == expected
            assert copied(page, panel.id) == [cell.whole for row in rows for cell in row if cell.whole]
        if panel.drawing not in {"steps", "figures", "table", "matrix", "cards", "findings", "shares", "gauges"}:
            assert_drawn(page, panel)


def test_a_truth_shows_without_a_reload(visit: Visit, store: Store, log: Log) -> None:
    page = visit(f"/tab/classes?{DAYS}")
    page.evaluate("window.before = Chart.getChart('chart-champion')")
    cell = page.locator("#champion-confusion tbody tr").first.locator("td").nth(1)
    before = int(cell.inner_text())
    unknown = next(row for row in log.of("champion") if row.truth is None and row.predicted == VERSICOLOR)
    store.feedback.give(unknown.id, SETOSA)
    page.clock.run_for(POLL)
    expect(cell).to_have_text(str(before + 1))
    truth, predicted = log.labelled("champion")
    recall = class_scores([*truth, SETOSA], [*predicted, VERSICOLOR], CLASSES)[SETOSA][1]
    recalls = chart(page, "champion", "chart.data.datasets.find((each) => each.label === 'Recall').data")
    assert recalls[CLASSES.index(SETOSA)] == pytest.approx(recall)
    assert chart(page, "champion", "window.before === chart")


KEY = "correct horse"


@pytest.fixture
def asked(offline: Settings, browser: Browser, start_api: StartApi) -> Iterator[tuple[Visit, Store, str]]:
    """A monitor whose api has a key, a store with an open verdict, and the one prediction that it wants."""
    wanted, now = str(uuid.uuid4()), datetime.now(UTC)
    settings = offline.model_copy(update={"api_key": SecretStr(KEY)})
    with closing(Store(settings.database_url)) as store:
        store.predictions.write([prediction(wanted, VERSICOLOR, at=now)])
        store.judgements.add(open_judgement(2, wanted, judged_at=now))
        with start_api(settings) as api:
            here = settings.model_copy(update={"api_url": str(api.base_url)})
            with served(create_app(here)) as monitor, visiting(browser, str(monitor.base_url), KEY) as visit:
                yield visit, store, wanted


@pytest.mark.parametrize("script", [True, False], ids=["script", "without script"])
def test_one_click_sends_the_ground_truth_that_settles_the_verdict(
    asked: tuple[Visit, Store, str], *, script: bool
) -> None:
    visit, store, wanted = asked
    [judgement] = store.judgements.newest("iris", 1)
    assert settle(judgement.details, {}) is None
    page = visit("/tab/corrections", java_script_enabled=script)
    page.get_by_role("button", name=f"{SETOSA} is the ground truth of {wanted}").click()
    expect(page.locator("#wanted .empty")).to_contain_text("No verdict is open that a ground truth could settle, so")
    truths = store.trials.truths_of([wanted], trusted_only=True)
    assert truths == {wanted: SETOSA}
    assert settle(judgement.details, truths) == ACCEPTED


def test_a_refused_ground_truth_is_explained(asked: tuple[Visit, Store, str], offline: Settings) -> None:
    visit, store, wanted = asked
    page = visit("/tab/corrections", noisy=True, key=add(offline, "reader", "read"))
    with page.expect_response("**/labels*") as answer:
        page.get_by_role("button", name=f"{SETOSA} is").click()
    assert answer.value.status == 403
    expect(page.get_by_role("heading", level=1)).to_have_text("The ground truth was not stored")
    expect(page.locator("main")).to_contain_text("The api answers 403: the role of this key is read, and this needs")
    page.get_by_role("link", name="corrections").click()
    expect(page.locator("#wanted tbody tr")).to_have_count(1)
    assert store.trials.truths_of([wanted], trusted_only=False) == {}


@contextmanager
def away(settings: Settings, request: pytest.FixtureRequest) -> Iterator[None]:
    """Take the store away meanwhile: PostgreSQL is stopped, of SQLite's file a table is missing."""
    if settings.database_url.startswith("postgresql"):
        server: Postgres = request.getfixturevalue("postgres")
        with server.stopped():
            yield
        return
    with closing(sqlite3.connect(settings.database_url.removeprefix("sqlite:///"))) as database:
        database.execute("ALTER TABLE prediction_counts RENAME TO elsewhere")
        yield
        database.execute("ALTER TABLE elsewhere RENAME TO prediction_counts")


def test_while_the_store_is_away_the_monitor_says_so_and_heals(
    on_either: Settings, browser: Browser, request: pytest.FixtureRequest
) -> None:
    store = Store(on_either.database_url)
    store.predictions.write([prediction("a", at=datetime.now(UTC))])
    with served(create_app(on_either)) as monitor, visiting(browser, str(monitor.base_url)) as visit:
        page = visit(noisy=True)
        predictions, notice = page.locator("#counts dd.value").first, page.get_by_role("status")
        expect(predictions).to_have_text("1")
        with away(on_either, request):
            page.clock.run_for(POLL)
            expect(notice).to_contain_text("The monitor cannot read the store.")
            expect(predictions).to_have_text("1")
            assert monitor.get("/api/overview").status_code == 503
            assert monitor.get("/livez").is_success
        store.predictions.write([prediction("b", at=datetime.now(UTC))])
        page.clock.run_for(POLL)
        expect(predictions).to_have_text("2")
        expect(notice).to_have_text("")
    store.close()

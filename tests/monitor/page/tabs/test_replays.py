"""The replay on the page: its form, its progress, its figures, its failure, and its changed answers as CSV."""

import csv
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect

from common.settings import Settings
from common.store import Store
from common.store.tables import feedback, predictions
from common.store.trust.replays import LoggedAnswer, ReplaySpan
from monitor.follow_registry import AliasedVersions
from monitor.monitor import create_app
from monitor.page.panels import Panel
from monitor.page.routes import add_page
from monitor.page.tabs import TABS, comparison
from monitor.page.view import Backends, View
from scripts.parts import wait_for
from tests.common.store.rows import CLASSES, prediction
from tests.conftest import RegisterByHand, served
from tests.monitor.page.browser import PHONE, POLL, WIDE, Visit, assert_usable, visiting
from tests.monitor.page.tabs.log import by_id, cells, today
from tests.monitor.page.tabs.replayed import SPAN, VERSION, finish_replay, iris_rows, log_rows, page_replay
from tests.monitor.references import backends_of
from tests.trust.replay.replayed import graph, without_probabilities
from trust.replay.summary import LEAST_ROWS, PAGE_ROWS, PageReplay

OWN = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
FIGURES = ["replay", "replay-shares", "replay-classes", "replay-changes", "replay-confidence"]
TAB = "/tab/comparison"


@pytest.fixture(scope="module")
def rows() -> list[LoggedAnswer]:
    return iris_rows(1200)


@pytest.fixture(scope="module")
def found(rows: list[LoggedAnswer]) -> PageReplay:
    return page_replay(rows)


def panels(backends: Backends) -> dict[str, Panel]:
    return {name: each for name, each in by_id(comparison.build(View(backends, today()))).items() if name in FIGURES}


def figures(panel: Panel) -> dict[str, list[Any]]:
    return {str(row[0]): row[1:] for row in panel.rows}


def test_before_the_first_replay_only_the_form_is_there_and_it_proposes_the_challenger(store: Store) -> None:
    shown = panels(backends_of(store, aliases=AliasedVersions(2, 3)))
    assert list(shown) == ["replay"]
    assert shown["replay"].rows == []
    form = shown["replay"].replay
    assert form
    assert (form.is_open, form.csv) == (False, "")
    store.predictions.write([prediction("a", at=datetime.now(UTC))])
    form = panels(backends_of(store, aliases=AliasedVersions(2, 3)))["replay"].replay
    assert form
    assert form.version == 3


def test_an_open_replay_shows_its_progress_and_no_other_can_be_started(store: Store, backends: Backends) -> None:
    name = store.trust.replays.request(VERSION, SPAN)
    [[label, done, _, _, words]] = panels(backends)["replay"].rows
    assert (label, done) == ("Rows answered again", 0)
    assert words == "begins within seconds: version 4, 2026-03-01 to 2026-03-02"
    store.trust.replays.start(name)
    store.trust.replays.progress(name, 5000)
    shown = panels(backends)["replay"]
    assert shown.rows[0][1] == 5000
    assert str(shown.rows[0][4]).startswith("running: ")
    assert shown.replay
    assert (shown.replay.is_open, shown.replay.done, shown.replay.most) == (True, 5000, PAGE_ROWS)


def test_a_finished_replay_shows_its_figures_with_intervals(
    store: Store, backends: Backends, found: PageReplay
) -> None:
    name = finish_replay(store, found)
    shown = panels(backends)
    assert list(shown) == FIGURES
    truths = found.figures.accuracy
    counts = {name: row[0] for name, row in figures(shown["replay"]).items()}
    assert counts == {
        "Rows answered again": 1200,
        "Changed answers": found.figures.changed,
        "Changed, ground truth unknown": found.figures.unknown,
        "With ground truth": truths.truths,
        "Gain": truths.gain,
        "Harm": truths.harm,
    }
    assert shown["replay"].replay
    assert shown["replay"].replay.csv == f"/replays/{name}.csv"
    assert shown["replay"].replay.listed == found.figures.changed
    shares = figures(shown["replay-shares"])
    for label, estimate in {
        "Answered alike": found.figures.alike,
        "Accuracy as served": truths.before,
        "Accuracy replayed": truths.after,
        "Change of accuracy": truths.change,
    }.items():
        assert estimate
        assert shares[label][:3] == [estimate.value, estimate.low, estimate.high]
    assert [row["class"] for row in cells(shown["replay-classes"])] == list(CLASSES)
    for row, each in zip(cells(shown["replay-classes"]), found.figures.classes, strict=True):
        assert (row["served"], row["replayed"], row["labels"]) == (each.served, each.replayed, each.recall.truths)
        assert each.recall.change
        assert (row["change"], row["change_low"]) == (each.recall.change.value, each.recall.change.low)
    assert sum(row[2] for row in shown["replay-changes"].rows if isinstance(row[2], int)) == found.figures.changed
    drift = found.figures.confidence
    first, *_ = cells(shown["replay-confidence"])
    assert drift.before
    assert drift.after
    assert (first["name"], first["rows"], first["before"]) == ("all", drift.rows, drift.before.mean.value)
    assert (first["after_low"], first["replayed-0"]) == (drift.after.mean.low, drift.after.quantiles[0])
    assert (first["as served-2"], first["replayed-2"]) == (drift.before.quantiles[2], drift.after.quantiles[2])


def test_figures_of_too_few_rows_are_not_enough_data(store: Store, backends: Backends) -> None:
    finish_replay(store, page_replay(iris_rows(LEAST_ROWS - 1)))
    shares = figures(panels(backends)["replay-shares"])
    assert {row[0] for row in shares.values()} == {None}
    assert shares["Answered alike"][3] == f"not enough data: fewer than {LEAST_ROWS} rows"
    assert shares["Change of accuracy"][3] == f"not enough data: fewer than {LEAST_ROWS} ground truths"
    for row in cells(panels(backends)["replay-confidence"]):
        assert row["before"] is None


def test_without_probabilities_the_page_says_that_there_is_no_confidence(store: Store, backends: Backends) -> None:
    finish_replay(store, page_replay(iris_rows(60), without_probabilities()))
    shown = panels(backends)["replay-confidence"]
    assert shown.rows == []
    assert "gives no probabilities" in shown.empty


def test_a_failed_replay_says_why(store: Store, backends: Backends) -> None:
    store.trust.replays.fail(store.trust.replays.request(VERSION, SPAN), "IrisModel has no version 4")
    shown = panels(backends)
    assert list(shown) == ["replay"]
    assert shown["replay"].warning == "The replay on version 4 has no result: IrisModel has no version 4."


@pytest.fixture
def client(store: Store) -> Iterator[httpx.Client]:
    app = FastAPI(title="Monitor")
    app.state.backends = backends_of(store, aliases=AliasedVersions(2, 3))
    app.state.problem = "iris"
    add_page(app, TABS)
    with served(app) as found:
        yield found


def start(client: httpx.Client, version: str, query: str = "", **headers: str) -> httpx.Response:
    return client.post(f"/replays{query}", data={"version": version}, headers=OWN | headers)


def test_the_form_starts_a_replay_of_the_selected_days_and_the_tab_is_shown_again(
    client: httpx.Client, store: Store
) -> None:
    answer = start(client, "3", "?since=2026-03-01&until=2026-03-02&version=1")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{TAB}?since=2026-03-01&until=2026-03-02&version=1#replay"
    asked = store.trust.replays.open()
    assert asked
    day = datetime(2026, 3, 1, tzinfo=UTC)
    assert (asked.version, asked.span) == (3, ReplaySpan("iris", day, day + timedelta(days=2)))


def test_without_selected_days_it_is_about_the_last_thirty(client: httpx.Client, store: Store) -> None:
    assert start(client, "3").status_code == 303
    asked = store.trust.replays.open()
    assert asked
    assert asked.until - asked.since == timedelta(days=30)
    assert asked.since < datetime.now(UTC) < asked.until


@pytest.mark.parametrize("version", ["", "0", "-1", "1.5", "drei", "²", "2147483648", "9" * 5000])
def test_a_form_without_a_version_is_refused(client: httpx.Client, store: Store, version: str) -> None:
    answer = start(client, version)
    assert answer.status_code == 422
    assert "The replay was not started" in answer.text
    assert "The form has no version: write its number, such as 3." in answer.text
    assert f'href="{TAB}"' in answer.text
    assert store.trust.replays.open() is None


def test_a_second_replay_has_to_wait(client: httpx.Client, store: Store) -> None:
    start(client, "3")
    answer = start(client, "5", "?problem=iris")
    assert answer.status_code == 409
    assert "Another replay is still running; only one runs at a time." in answer.text
    assert f'href="{TAB}?problem=iris"' in answer.text
    asked = store.trust.replays.open()
    assert asked
    assert asked.version == 3


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_another_site_starts_no_replay(client: httpx.Client, store: Store, site: str) -> None:
    assert start(client, "3", **{"Sec-Fetch-Site": site}).status_code == 403
    assert store.trust.replays.open() is None


def test_an_unknown_problem_has_no_replay(client: httpx.Client) -> None:
    assert start(client, "3", "?problem=flowers").status_code == 404


def test_changed_answers_come_as_csv_and_an_erased_row_is_missing(
    client: httpx.Client, store: Store, rows: list[LoggedAnswer], found: PageReplay
) -> None:
    log_rows(store, rows[:100])
    result = page_replay(rows[:100])
    name = finish_replay(store, result)
    erased = result.changed[0][0]
    with store._database.writing() as connection:
        connection.execute(predictions.delete().where(predictions.c.id == erased))
        connection.execute(feedback.delete().where(feedback.c.prediction_id == erased))
    answer = client.get(f"/replays/{name}.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="iris-replay-of-version-4.csv"'
    lines = list(csv.DictReader(answer.text.splitlines()))
    assert [line["prediction_id"] for line in lines] == [each[0] for each in result.changed[1:]]
    by_name = {row.id: row for row in rows}
    for line, (row_id, class_name, confidence) in zip(lines, result.changed[1:], strict=True):
        row = by_name[row_id]
        assert (line["served_class"], line["replayed_class"]) == (row.class_name, class_name)
        assert (line["ground_truth"], float(line["replayed_confidence"])) == (row.truth or "", confidence)
        assert {name: float(line[name]) for name in "xyz"} == row.features
    assert found.figures.rows == 1200


@pytest.mark.parametrize("name", ["unknown", "0", "é"])
def test_an_unknown_replay_has_no_csv(client: httpx.Client, name: str) -> None:
    assert client.get(f"/replays/{name}.csv").status_code == 404


def test_an_open_replay_has_no_csv(client: httpx.Client, store: Store) -> None:
    assert client.get(f"/replays/{store.trust.replays.request(3, SPAN)}.csv").status_code == 404


@pytest.fixture
def visit(browser: Browser, client: httpx.Client) -> Iterator[Visit]:
    with visiting(browser, str(client.base_url)) as opened:
        yield opened


@pytest.mark.parametrize("either_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("state", ["none", "open", "finished", "failed"])
def test_everybody_can_use_a_replay_in_each_state(visit: Visit, store: Store, found: PageReplay, state: str) -> None:
    if state == "finished":
        finish_replay(store, found)
    elif state != "none":
        name = store.trust.replays.request(VERSION, SPAN)
        if state == "failed":
            store.trust.replays.fail(name, "no MLflow at http://127.0.0.1:5000: it is away")
    for viewport, scheme in ((WIDE, "light"), (WIDE, "dark"), (PHONE, "light")):
        page = visit(TAB, viewport=viewport, color_scheme=scheme)
        expect(page.locator("#replay")).to_be_visible()
        assert_usable(page, viewport["width"])
        page.context.close()


@pytest.fixture
def watched(
    settings: Settings, register_by_hand: RegisterByHand, browser: Browser, rows: list[LoggedAnswer]
) -> Iterator[tuple[Visit, Store, int]]:
    """A whole monitor with its jobs, a log of today, and the number of a registered version."""
    number = register_by_hand(graph(classes=CLASSES))
    with closing(Store(settings.database_url)) as store:
        late = datetime.now(UTC) - timedelta(seconds=30)
        log_rows(store, [row._replace(predicted_at=late) for row in rows[:400]])
        with served(create_app(settings)) as monitor, visiting(browser, str(monitor.base_url)) as visit:
            yield visit, store, number


def until_shown(page: Page, text: str) -> None:
    """Let the page look again until the figure of the changed answers has this text."""

    def is_there() -> bool:
        page.clock.run_for(POLL)
        return page.locator("#replay dl > div").nth(1).locator("dd.value").all_inner_texts() == [text]

    wait_for("the figures", is_there, within=60)


@pytest.mark.parametrize("script", [True, False], ids=["script", "without script"])
def test_a_keyboard_starts_a_replay_whose_figures_and_csv_come_by_themselves(
    watched: tuple[Visit, Store, int], rows: list[LoggedAnswer], *, script: bool
) -> None:
    visit, store, number = watched
    expected = page_replay(rows[:400])
    page = visit(TAB, java_script_enabled=script)
    field = page.get_by_label("Version", exact=True)
    field.focus()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type(str(number))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"{TAB}\?problem=iris#replay$"))
    if script:
        until_shown(page, str(expected.figures.changed))
    else:
        wait_for("the result", lambda: store.trust.replays.open() is None, within=60)
        page.reload()
    expect(page.locator("#replay dd.value")).to_have_text(
        [
            "400",
            *(str(each) for each in (expected.figures.changed, expected.figures.unknown)),
            *(str(each) for each in vars(expected.figures.accuracy).values() if isinstance(each, int)),
        ]
    )
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("changed answers as CSV")).click()
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + expected.figures.changed


def test_a_replay_of_an_unknown_version_says_so_on_the_page(watched: tuple[Visit, Store, int]) -> None:
    visit, _, number = watched
    page = visit(TAB)
    page.get_by_label("Version", exact=True).fill(str(number + 1))
    page.get_by_role("button", name="Start a replay").click()
    warning = page.locator("#replay .warning")

    def is_there() -> bool:
        page.clock.run_for(POLL)
        return warning.count() == 1

    wait_for("the failure", is_there, within=60)
    expect(warning).to_contain_text(f"IrisModel has no version {number + 1}: the newest one is {number}.")
    expect(page.get_by_role("button", name="Start a replay")).to_be_enabled()

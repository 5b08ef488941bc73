"""The real tabs in a browser: they show what the store has, everybody can use them, and they heal."""
# the dash of intervals

import csv
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
import sklearn.metrics
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect

from common.settings import Settings
from common.store import Store
from monitor.follow_registry import Aliases, Unserved
from monitor.monitor import create_app
from monitor.page.routes import add_page
from monitor.page.tabs import TABS
from monitor.page.tabs.metrics import IDS
from monitor.statistics.estimates import CLASS_METRICS
from monitor.statistics.performance import measured
from monitor.statistics.reference import Reference, Results
from monitor.statistics.window import evaluate
from tests.common.store.rows import CLASSES, NOON, SETOSA, VERSICOLOR, prediction, suggestion
from tests.conftest import served
from tests.monitor.page.browser import PHONE, POLL, WIDE, Visit, assert_usable, chart, visiting
from tests.monitor.page.tabs.judges import class_scores, scores
from tests.monitor.page.tabs.kept import learn, shifted_rows, write_window
from tests.monitor.page.tabs.log import FIRST, LAST, Log, asking, pairs, write_log
from tests.monitor.references import source_of

if TYPE_CHECKING:
    from common.store.tables import Role
    from tests.postgres import Postgres

DAYS = f"since={FIRST}&until={LAST}"
SINCE = f"since={FIRST}"  # until today, when the corrections came
PATHS = ["/" if tab is TABS[0] else f"/tab/{tab.name}" for tab in TABS]
ROLES: dict[str, "Role"] = {"champion": "champion", "challenger": "shadow"}


@pytest.fixture
def log(store: Store, reference: Reference) -> Log:
    """What a store holds that has something for every tab."""
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
    return log


@pytest.fixture
def client(store: Store, reference: Reference, log: Log) -> Iterator[httpx.Client]:
    """A client of the page over that store, which knows the served version."""
    assert log.rows
    app = FastAPI(title="Monitor")
    app.state.source = source_of(store, reference, Aliases(2, 3))
    app.state.source.references._unserved["iris"] = [Unserved(4, "refused: the label of row 0 differs")]
    app.state.problem = "iris"
    add_page(app, TABS)
    with served(app) as found:
        yield found


def drawn(page: Page, panel: str) -> dict[str, dict[str, Any]]:
    """Return the numbers of a chart by series and label."""
    labels = chart(page, panel, "chart.data.labels")
    series = chart(page, panel, "chart.data.datasets.map((each) => [each.label, each.data])")
    return {name: dict(zip(labels, values, strict=True)) for name, values in series}


def written(page: Page, panel: str) -> list[list[str]]:
    """Return the cells of a table as people read them, row by row."""
    rows = page.locator(f"#{panel} tbody tr").all()
    return [row.locator("th, td").all_inner_texts() for row in rows]


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
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


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_every_table_comes_as_csv(visit: Visit) -> None:
    for path in PATHS:
        page = visit(f"{path}?{SINCE}")
        for panel in page.locator(".panel").all():
            with page.expect_download() as download:
                panel.get_by_role("link", name=re.compile("^CSV of ")).click()
            first, *rows = csv.reader(Path(download.value.path()).read_text(encoding="utf-8").splitlines())
            assert panel.locator("dl > div, tbody tr").count() == len(rows) > 0
            assert all(len(row) == len(first) for row in rows)
        page.context.close()


def test_the_overview_shows_what_scikit_learn_finds(visit: Visit, log: Log) -> None:
    page = visit(f"/?{DAYS}")
    rows, (truth, predicted) = log.of("champion"), log.labelled("champion")
    figures = {
        panel: dict(
            zip(
                page.locator(f"#{panel} dt").all_inner_texts(),
                page.locator(f"#{panel} dd.value").all_inner_texts(),
                strict=True,
            )
        )
        for panel in ("counts", "metrics")
    }
    assert figures["counts"] == {
        "Predictions": str(len(rows)),
        "Validated samples": str(len(truth)),
        "Outliers": str(sum(row.is_outlier for row in rows)),
        "Open alerts": "1",
    }
    expected = scores(truth, predicted)
    assert figures["metrics"] == {
        label: percent(expected[name])
        for label, name in (("Accuracy", "accuracy"), ("Precision", "precision"), ("Recall", "recall"), ("F1", "f1"))
    }
    assert written(page, "alerts")[0][1:] == ["drift", "petal_width", "petal_width has drifted"]


def test_the_lines_by_day_are_those_of_scikit_learn(visit: Visit, log: Log) -> None:
    page = visit(f"/tab/metrics?{DAYS}")
    names: dict[str, Role] = {"Champion": "champion", "Challenger": "shadow"}
    for metric, panel in IDS.items():
        lines = drawn(page, panel)
        assert lines.keys() == names.keys()
        for name, points in lines.items():
            for day, value in points.items():
                truth, answers = pairs([row for row in log.of(names[name]) if str(row.day) == day])
                expected = scores(truth, answers)[metric] if truth else None
                assert value == pytest.approx(expected), (metric, name, day)
            assert len(points) == (LAST - FIRST).days + 1


def test_the_champion_stands_beside_its_test_rows(visit: Visit) -> None:
    page = visit(f"/tab/metrics?{DAYS}")
    accuracy, setosa, *_, last = written(page, "tested")
    assert accuracy == ["Newest window", "Accuracy", "dropped", "120", "50.0 % (32.9–67.1)", "100.0 % (88.6–100.0)"]
    assert setosa[1:4] == ["Recall of Iris-setosa", "dropped", "120"]
    assert last == [f"Day {LAST}", "Recall of Iris-virginica", "not enough data", "0", "–", "100.0 % (72.2–100.0)"]


def test_pies_and_bars_count_the_samples_by_class(visit: Visit, log: Log) -> None:
    page = visit(f"/tab/samples?{DAYS}")
    rows = log.of("champion")
    assert drawn(page, "predicted") == {"Samples": Counter(row.predicted for row in rows)}
    assert drawn(page, "validated") == {"Samples": Counter(log.labelled("champion")[0])}
    for panel, field in (("predicted-by-day", "predicted"), ("validated-by-day", "truth")):
        bars = drawn(page, panel)
        assert bars.keys() == set(CLASSES)
        for name, by_day in bars.items():
            counts = Counter(str(row.day) for row in rows if getattr(row, field) == name)
            assert {day: count for day, count in by_day.items() if count} == counts


def test_bars_and_matrix_of_the_classes_are_those_of_scikit_learn(visit: Visit, log: Log) -> None:
    page = visit(f"/tab/classes?{DAYS}")
    for panel, role in ROLES.items():
        truth, predicted = log.labelled(role)
        expected = class_scores(truth, predicted, CLASSES)
        bars = drawn(page, panel)
        assert list(bars) == ["Precision", "Recall", "F1", "Specificity"]
        for place, metric in enumerate(bars):
            assert bars[metric] == pytest.approx({name: expected[name][place] for name in CLASSES}), metric
        matrix = sklearn.metrics.confusion_matrix(truth, predicted, labels=CLASSES).tolist()
        assert [[int(cell) for cell in row[1:]] for row in written(page, f"{panel}-confusion")] == matrix
    assert len(CLASS_METRICS) == len(bars)


def test_the_distributions_of_drift_are_those_of_the_window(visit: Visit, reference: Reference) -> None:
    page = visit(f"/tab/drift?{DAYS}")
    subjects = evaluate(shifted_rows(2.0), reference).subjects
    titles = {panel: page.locator(f"#title-{panel}").inner_text() for panel in ("shares-a", "shares-b", "shares-d")}
    for panel, title in titles.items():
        told = subjects[title.removeprefix("Distribution of ")].distribution
        assert told
        shown = drawn(page, panel)
        assert list(shown["Newest window"].values()) == pytest.approx(told.window)
        assert list(shown["Learnt from"].values()) == pytest.approx(told.reference)
    verdicts = {row[0]: row[1] for row in written(page, "verdicts")}
    assert verdicts["petal_width"] == "drift"
    assert verdicts["predicted class"] == "no drift"


def test_training_rows_stand_beside_the_corrections(visit: Visit, reference: Reference) -> None:
    page = visit(f"/tab/training?{SINCE}")
    assert drawn(page, "training") == {"Rows": reference.class_counts}
    assert drawn(page, "corrections") == {"Corrections": {SETOSA: 1}}


def test_versions_and_days_of_the_url_choose_what_is_counted(visit: Visit, log: Log) -> None:
    page = visit(f"/?{DAYS}")
    page.get_by_label("To", exact=True).fill(str(FIRST + timedelta(days=1)))
    page.get_by_label("v1").check()
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(r"until=2026-03-02&version=1$"))
    asked = asking(FIRST, date(2026, 3, 2), 1)
    expect(page.locator("#counts dd.value").first).to_have_text(str(len(log.of("champion", asked))))
    [*_, expected] = scores(*log.labelled("champion", asked)).values()
    expect(page.locator("#metrics dd.value").last).to_have_text(percent(expected))


def test_a_prediction_is_found_by_its_id(visit: Visit, log: Log) -> None:
    page = visit(f"/tab/predictions?{DAYS}")
    page.get_by_label("Id").fill("2-1")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("id=2-1"))
    wanted = Counter(row.role for row in log.rows if row.id == "2-1")
    assert wanted == {"champion": 1, "shadow": 1}
    found = written(page, "predictions")
    assert {row[1] for row in found} == {"2-1"}
    assert len(found) == wanted.total()


def test_a_truth_shows_without_a_reload(visit: Visit, store: Store, log: Log) -> None:
    page = visit(f"/tab/classes?{DAYS}")
    page.evaluate("window.before = Chart.getChart('chart-champion')")
    truth, predicted = log.labelled("champion")
    unknown = next(row for row in log.of("champion") if row.truth is None and row.predicted == VERSICOLOR)
    store.feedback.give(unknown.id, SETOSA)
    page.clock.run_for(POLL)
    matrix = sklearn.metrics.confusion_matrix([*truth, SETOSA], [*predicted, VERSICOLOR], labels=CLASSES)
    cell = page.locator("#champion-confusion tbody tr").first.locator("td").nth(1)
    expect(cell).to_have_text(str(matrix[0, 1]))
    recall = class_scores([*truth, SETOSA], [*predicted, VERSICOLOR], CLASSES)[SETOSA][1]
    assert drawn(page, "champion")["Recall"][SETOSA] == pytest.approx(recall)
    assert chart(page, "champion", "window.before === chart")


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

"""The server time of the monitor's tabs and metrics, with few stored predictions and with many."""

import itertools
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry, generate_latest

from benchmarks.harness import lab
from benchmarks.harness.report import Claim, Report, milliseconds
from benchmarks.harness.rows import prediction_row
from benchmarks.harness.timing import seconds_of
from common.problem import Floats, Problem, get_problem
from common.registry.client import Registry, Version
from common.store import Store, tables
from common.store.monitoring.prediction_search import Search
from common.store.monitoring.tables import exports
from common.store.monitoring.windows import WindowRecord
from common.store.predictions import PredictionRow
from common.store.suggestions import Suggestion
from monitor.follow_registry import AliasedVersions, References
from monitor.metrics.store_collector import StoreCollector
from monitor.page.panels import Tab
from monitor.page.routes import add_page
from monitor.page.tabs import TABS
from monitor.page.timeline.strip import Strip
from monitor.page.timeline.timeline import timeline_of
from monitor.page.timeline.window import LABELS
from monitor.page.view import Backends, Selection, View
from monitor.statistics.reference import CategoryReference, NumberReference, Reference
from monitor.statistics.window import evaluate

SIZES = (1_000, 100_000, 1_000_000)
DAYS = 90
VERSIONS = 4  # one after the other; each is challenger before it is champion
BATCH = 500
LABELLED = 0.7
SUGGESTIONS = 500
WINDOWS = 200
ROUNDS = 15
MOST_SECONDS, MOST_GROWTH = 0.1, 3.0
TEXT = (
    f"The store is SQLite. It holds predictions of {DAYS} days and of {VERSIONS} versions, one after the other. Half "
    f"of the predictions are the challenger's; {100 * LABELLED:.0f} % have a ground truth. It also holds {WINDOWS} "
    f"windows and {SUGGESTIONS} corrections. Each tab shows all days: one row times the panels alone, the row *whole "
    "page* the HTML page, which also holds the panels as JSON and the timeline. The timeline is timed alone, too, for "
    "each span. The last row times `/metrics`. The columns are numbers "
    f"of stored predictions. The figures are medians of {ROUNDS}, measured in turn. The ratio is that of the largest "
    "store to the smallest. A timeline reads one row for each stretch of time and version that has predictions: 1,000 "
    "predictions fill few of the 1,440 minutes of *24 h*, a million fill all. From there on it costs the same, as the "
    "stores of ten million below show."
)


def measure() -> Report:
    """Fill stores of each size on SQLite; time every tab and the metrics."""
    problem = get_problem("iris")
    with TemporaryDirectory(prefix="lab-") as folder, ExitStack() as stack:
        calls = {}
        for size in SIZES:
            store = stack.enter_context(closing(Store(f"sqlite:///{folder}/{size}.db")))
            lab.say(f"write {size} predictions")
            fill(store, problem, size)
            backends = Backends(store, _references(store, problem), "http://mlflow", "http://prefect")
            calls[size] = _calls(backends, problem, stack.enter_context(_client(backends, problem)))
        lab.say(f"{ROUNDS} rounds")
        found = {name: timed([calls[size][name] for size in SIZES]) for name in calls[SIZES[0]]}
    claims = [_claim(name, times) for name, times in found.items()]
    rows = [
        (name, *(milliseconds(each) for each in times), claim.ratio, claim.verdict)
        for (name, times), claim in zip(found.items(), claims, strict=True)
    ]
    header = ("", *(f"{size:,}" for size in SIZES), "ratio", f"ratio under {MOST_GROWTH:.0f}, time under 100 ms")
    slowest = max(claims, key=lambda claim: found[claim.what][-1])
    what = f"the slowest of the monitor's tabs and metrics with {SIZES[-1]:,} predictions: {slowest.what}"
    together = replace(slowest, what=what, required=header[-1], met=all(claim.met for claim in claims))
    return Report("The monitor's page", TEXT, header, rows, [together])


def _claim(name: str, times: Sequence[float]) -> Claim:
    grown, met = times[-1] / times[0], max(times) < MOST_SECONDS and times[-1] < MOST_GROWTH * times[0]
    return Claim(name, milliseconds(times[-1]), f"{grown:.2f}", f"with {SIZES[0]:,}", "both", met=met)


def timed(calls: Sequence[Callable[[], object]]) -> list[float]:
    """Return the median seconds of each call. The calls run in turn, so that other work slows all of them alike."""
    found: list[list[float]] = [[] for _ in calls]
    for _, (each, call) in itertools.product(range(ROUNDS), zip(found, calls, strict=True)):
        each.append(seconds_of(call))
    return [median(each) for each in found]


def _client(backends: Backends, problem: Problem) -> TestClient:
    app = FastAPI()
    app.state.backends, app.state.problem = backends, problem.name
    add_page(app, TABS)
    return TestClient(app, "http://localhost", headers={"Accept": "text/html"})


def _calls(backends: Backends, problem: Problem, client: TestClient) -> dict[str, Callable[[], object]]:
    today = datetime.now(UTC).date()
    selection = Selection(problem=problem.name, since=today - timedelta(days=DAYS), until=today)
    collected = CollectorRegistry()
    collected.register(StoreCollector(backends.store, backends.references))
    found: dict[str, Callable[[], object]] = {}
    for tab in TABS:
        found[tab.title] = partial(_build, tab, backends, selection)
        found[f"{tab.title}, whole page"] = partial(_page, client, tab, selection)
    for span, label in LABELS.items():
        asked = selection.model_copy(update={"span": span})
        found[f"Timeline of {label}"] = partial(_timeline, backends, asked)
    return {**found, **_searches(backends, selection), "/metrics": partial(generate_latest, collected)}


def _build(tab: Tab, backends: Backends, selection: Selection) -> object:
    # A new view for each call, as for each request: a view keeps the results of its queries.
    return tab.build(View(backends, selection))


def _timeline(backends: Backends, selection: Selection) -> object:
    timeline = timeline_of(View(backends, selection))
    return timeline.data(), Strip(timeline)


def _searches(backends: Backends, selection: Selection) -> dict[str, Callable[[], object]]:
    search = Search(selection.problem, *View(backends, selection).bounds)
    [newest, *_] = backends.store.prediction_search.page(search, 1).rows
    wanted_ids = {
        "search by an id": newest.row["id"],
        # The copies of a prediction (`log_copies.py`) share 32 characters of their ids, so that a shorter beginning
        # would have ten times as many hits in a store of ten times as many rows.
        "search by 33 characters": newest.row["id"][:33],
        "search without a hit": "x",
    }
    asked = {what: selection.model_copy(update={"id": prediction_id}) for what, prediction_id in wanted_ids.items()}
    return {f"Predictions, {what}": partial(_build, TABS[-1], backends, each) for what, each in asked.items()}


def _page(client: TestClient, tab: Tab, selection: Selection) -> str:
    asked = {"problem": selection.problem, "since": str(selection.since), "until": str(selection.until)}
    return client.get("/" if tab is TABS[0] else f"/tab/{tab.name}", params=asked).raise_for_status().text


def fill(store: Store, problem: Problem, size: int) -> None:
    """Fill a store with predictions, half of them the challenger's, and with windows and corrections."""
    random, began_at = np.random.default_rng(0), datetime.now(UTC) - timedelta(days=DAYS)
    for version in range(1, VERSIONS + 1):
        store.champions.note(problem.onnx_name, version)
    for start in range(0, size // 2, BATCH):
        places = np.arange(start, min(start + BATCH, size // 2)) / (size // 2)
        rows = _answers(problem, random, began_at, places)
        truths = _mostly(problem, random, [row["class_name"] for row in rows])
        shadows = _shadows(rows, _mostly(problem, random, truths))
        known = round(LABELLED * len(rows))
        store.known_rows.write(rows[:known], truths[:known])
        store.predictions.write([*rows[known:], *shadows])
    _mark_exported(store, problem)
    for number in range(SUGGESTIONS):
        features = {feature.name: feature.example for feature in problem.features}
        store.suggestions.add(Suggestion(f"s{number}", problem.name, features, problem.target.classes[0]))
    _write_windows(store, problem, random)


def _answers(problem: Problem, random: np.random.Generator, began_at: datetime, places: Floats) -> list[PredictionRow]:
    """Return the champion's answers at these points of the period, from 0 (its begin) to 1 (its end)."""
    names, classes = problem.columns, problem.target.classes
    drawn = zip(
        places.tolist(),
        random.normal(5, 1, (len(places), len(names))).tolist(),
        random.integers(len(classes), size=len(places)).tolist(),
        (random.random(len(places)) < 0.05).tolist(),
        strict=True,
    )
    return [
        prediction_row(
            problem,
            id=_id(at := began_at + place * timedelta(days=DAYS), random),
            model_version=1 + int(place * VERSIONS),
            predicted_at=at,
            features=dict(zip(names, values, strict=True)),
            class_name=classes[answer],
            confidence=0.9,
            is_outlier=is_outlier,
        )
        for place, values, answer, is_outlier in drawn
    ]


def _id(at: datetime, random: np.random.Generator) -> str:
    # The api's ids are UUIDs of version 7, which begin with the time in milliseconds.
    moment, rest = f"{int(at.timestamp() * 1e3):012x}", random.bytes(9).hex()
    return f"{moment[:8]}-{moment[8:]}-7{rest[:3]}-8{rest[3:6]}-{rest[6:]}"


def _shadows(rows: Sequence[PredictionRow], answers: Sequence[str]) -> list[PredictionRow]:
    found = []
    for row, answer in zip(rows, answers, strict=True):
        shadow = row.copy()
        shadow["role"], shadow["model_version"], shadow["class_name"] = "shadow", row["model_version"] + 1, answer
        found.append(shadow)
    return found


def _mostly(problem: Problem, random: np.random.Generator, right: Sequence[str]) -> list[str]:
    """Return these classes, with a tenth of them replaced by random classes."""
    others = random.integers(len(problem.target.classes), size=len(right)).tolist()
    kept = random.random(len(right)) < 0.9
    drawn = zip(right, others, kept, strict=True)
    return [name if is_kept else problem.target.classes[other] for name, other, is_kept in drawn]


def _mark_exported(store: Store, problem: Problem) -> None:
    # The state after the export job has run, written in one transaction.
    now = datetime.now(UTC)
    export = {"problem": problem.name, "model_name": problem.onnx_name, "day": now.date(), "rows": 0, "run_id": "run"}
    with store._database.writing() as connection:  # noqa: SLF001
        connection.execute(sa.insert(exports).values(id=1, **export, claimed_at=now, finished_at=now))
        connection.execute(sa.update(tables.predictions).values(export_id=1))


def _write_windows(store: Store, problem: Problem, random: np.random.Generator) -> None:
    now = datetime.now(UTC)
    rows = _answers(problem, random, now, np.ones(1_000) * (1 - 1 / VERSIONS))
    evaluation = evaluate(rows, reference(problem)).model_dump(mode="json")
    for number in range(WINDOWS):
        ended_at = now - number * timedelta(minutes=1)
        model, span = (problem.onnx_name, VERSIONS), (ended_at - timedelta(minutes=5), ended_at)
        store.windows.write(WindowRecord(problem.name, *model, *span, len(rows), 50, evaluation))


def reference(problem: Problem) -> Reference:
    """Return a reference that the bundle of a version could hold."""
    values = np.sort(np.random.default_rng(1).normal(5, 1, 120))
    edges = np.quantile(values, np.linspace(0.1, 0.9, 9))
    number = NumberReference(120, 5.0, 1.0, np.quantile(values, np.linspace(0, 1, 101)), edges, np.full(10, 0.1))
    classes = problem.target.classes
    answers = CategoryReference(30, dict.fromkeys(classes, 1 / len(classes)))
    counts = dict.fromkeys(classes, 120 // len(classes))
    return Reference(VERSIONS, classes, counts, dict.fromkeys(problem.columns, number), answers, number)


def _references(store: Store, problem: Problem) -> References:
    # The tabs never ask the registry themselves, so its address leads to no server.
    found = References(store, Registry("http://127.0.0.1:1"))
    version = Version(problem.onnx_name, VERSIONS, "models:/m-0", {})
    found._aliases[problem.onnx_name] = AliasedVersions(VERSIONS, VERSIONS + 1)  # noqa: SLF001
    found._found[problem.onnx_name] = version, reference(problem)  # noqa: SLF001
    return found

"""Tab *Metrics*: how good the answers of each day were, and how many of them that is known of."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

from common.evaluate import classes_of
from common.store.monitoring.history import DayDelay, DayLabels, DayVolume
from common.store.monitoring.windows import WindowRecord
from common.store.tables import Role
from monitor.page.panels import Cell, Column, Panel, Query
from monitor.page.source import Source
from monitor.page.tabs.parts import METRIC_LABELS, NO_LABELS, NO_PREDICTIONS, estimate_cells, estimate_columns, share
from monitor.page.tabs.scope import PLACES, bounds_of, span_of
from monitor.statistics.enough import CLASS_LABELS, LABELS
from monitor.statistics.estimates import INTERVAL, METRICS, Estimate, matrices_by, performance
from monitor.statistics.performance import STANDARD_ERRORS
from monitor.statistics.window import Evaluation

DAY = Column(name="day", label="Day", kind="day")
Place = tuple[date, Role]
# Of panels: letters only.
IDS = {"accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1": "f-score"}
NOT_TESTED = (
    "No window of these days and versions is kept, or its version tells nothing of its test rows, as one that was "
    "registered by hand. POST /predict and POST /feedback at the api, or train a version: make train."
)


def build(source: Source, query: Query) -> list[Panel]:
    """Return its panels."""
    span, history = span_of(source, query), source.store.history
    labels, volumes = history.labels(span), history.volumes(span)
    days, roles = days_of(volumes), [role for role in PLACES if any(each.role == role for each in volumes)]
    matrices = matrices_by(labels, classes_of((), labels), lambda each: (each.day, each.role))
    found = {place: performance(matrix) for place, matrix in matrices.items()}
    windows = source.store.windows.between(query.problem, *bounds_of(query), 1, query.versions)
    return [
        _performance(windows[-1] if windows else None),
        *(_metric(name, days, roles, found) for name in METRICS),
        _coverage(days, roles, _sums(labels), _sums(volumes)),
        _labels(days, _sums(labels), _sums(volumes), {each.day: each for each in history.delays(span)}),
    ]


def _performance(window: WindowRecord | None) -> Panel:
    measured = Evaluation.model_validate(window.evaluation).performance if window else []
    rows: list[list[Cell]] = [
        [
            f"Day {each.day}" if each.day else "Newest window",
            f"Recall of {each.class_name}" if each.class_name else "Accuracy",
            *(each.verdict, each.labels, each.value, each.low, each.high),
            *(each.tested, each.tested_low, each.tested_high),
        ]
        for each in measured
    ]
    version = f"Version {window.model_version}" if window and window.model_version else "The champion"
    return Panel(
        id="tested",
        title=f"{version} beside its test rows",
        note=(
            f"A measure has dropped where its whole interval, of {STANDARD_ERRORS:.0f} standard errors, lies below the "
            f"{INTERVAL} interval of the test rows. An accuracy takes {LABELS} validated samples, and the recall of a "
            f"class {CLASS_LABELS} of that class. The day is the newest of a week that has {LABELS}."
        ),
        drawing="table",
        columns=[
            Column(name="span", label="Predictions"),
            Column(name="measure", label="Measure"),
            Column(name="verdict", label="Verdict"),
            Column(name="labels", label="Validated samples", kind="integer"),
            *estimate_columns("value", "Now"),
            *estimate_columns("tested", "On the test rows"),
        ],
        rows=rows,
        empty=NOT_TESTED,
    )


def days_of(volumes: Sequence[DayVolume]) -> list[date]:
    """Return all days from the first to the last one with predictions."""
    if not volumes:
        return []
    first, last = min(each.day for each in volumes), max(each.day for each in volumes)
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _metric(
    name: str, days: Sequence[date], roles: Sequence[Role], found: Mapping[Place, Mapping[str, Estimate]]
) -> Panel:
    rows: list[list[Cell]] = [
        [str(day), *(cell for role in roles for cell in estimate_cells(found.get((day, role), {}).get(name)))]
        for day in days
    ]
    mean = "" if name == "accuracy" else "Mean of the classes. "
    return Panel(
        id=IDS[name],
        title=f"{METRIC_LABELS[name]} by day",
        note=f"{mean}A day is that of the predictions, in UTC; the band is the {INTERVAL} interval.",
        drawing="line",
        columns=[DAY, *(column for role in roles for column in estimate_columns(role, PLACES[role]))],
        rows=rows if found else [],
        empty=NO_LABELS,
    )


def _coverage(
    days: Sequence[date], roles: Sequence[Role], labels: Mapping[Place, int], volumes: Mapping[Place, int]
) -> Panel:
    rows: list[list[Cell]] = [
        [str(day), *(share(labels[day, role], volumes[day, role]) for role in roles)] for day in days
    ]
    return Panel(
        id="coverage",
        title="Predictions whose truth is known, by day",
        note="Where few truths are known, or those of chosen predictions, the metrics say little of the rest.",
        drawing="line",
        columns=[DAY, *(Column(name=role, label=PLACES[role], kind="ratio") for role in roles)],
        rows=rows,
        empty=NO_PREDICTIONS,
    )


def _labels(
    days: Sequence[date], labels: Mapping[Place, int], volumes: Mapping[Place, int], delays: Mapping[date, DayDelay]
) -> Panel:
    rows: list[list[Cell]] = [
        [
            *(str(day), volumes[day, "champion"], labels[day, "champion"]),
            share(labels[day, "champion"], volumes[day, "champion"]),
            delays[day].mean_seconds if day in delays else None,
        ]
        for day in days
    ]
    return Panel(
        id="labels",
        title="Truths and how late they came, by day",
        note="Of the champion's predictions; the delay, from prediction to truth, is that of all versions together.",
        drawing="table",
        columns=[
            DAY,
            Column(name="predictions", label="Predictions", kind="integer"),
            Column(name="labels", label="Validated samples", kind="integer"),
            Column(name="coverage", label="Share", kind="ratio"),
            Column(name="delay", label="Mean delay in seconds", kind="number"),
        ],
        rows=rows,
        empty=NO_PREDICTIONS,
    )


def _sums(rows: Iterable[DayLabels] | Iterable[DayVolume]) -> Counter[Place]:
    counts: Counter[Place] = Counter()
    for each in rows:
        counts[each.day, each.role] += each.labels if isinstance(each, DayLabels) else each.predictions
    return counts

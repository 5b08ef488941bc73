"""Tab *Metrics by class*: how each class fares, and what it is taken for."""

from collections.abc import Iterator, Mapping, Sequence

from common.evaluate import classes_of, matrix_of
from common.problem import Ints
from common.store.monitoring.history import DayLabels
from common.store.statistics import LabelSum
from common.store.tables import Role
from monitor.page.panels import Cell, Column, Panel, Query
from monitor.page.source import Source
from monitor.page.tabs.metrics import DAY
from monitor.page.tabs.parts import METRIC_LABELS, NO_LABELS, class_columns, estimate_cells, estimate_columns
from monitor.page.tabs.scope import PLACES, known_classes, span_of
from monitor.statistics.estimates import CLASS_METRICS, INTERVAL, Estimate, class_performance, matrices_by

# In the URLs of the tables.
IDS: dict[Role, str] = {"champion": "champion", "shadow": "challenger"}
MOST_DAYS, MOST_ROWS = 31, 400


def build(source: Source, query: Query) -> list[Panel]:
    """Return its panels: the champion's, the challenger's if it has labels, and both by day."""
    span = span_of(source, query)
    labels = source.store.history.labels(span)
    classes = classes_of(known_classes(source, span), labels)
    panels = [panel for role in PLACES for panel in _panels(role, labels, classes)]
    return [*panels, _by_day(labels, classes)]


def _panels(role: Role, labels: Sequence[LabelSum], classes: Sequence[str]) -> Iterator[Panel]:
    mine = [each for each in labels if each.role == role]
    if mine or role == "champion":
        matrix = matrix_of(mine, classes)
        yield _bars(role, matrix, classes)
        yield _confusion(role, matrix, classes)


def _by_day(labels: Sequence[DayLabels], classes: Sequence[str]) -> Panel:
    most = max(1, min(MOST_DAYS, MOST_ROWS // max(1, len(classes) * len(PLACES))))
    newest = sorted({each.day for each in labels})[-most:]
    shown = [each for each in labels if each.day in newest]
    matrices = matrices_by(shown, classes, lambda each: (each.day, each.role))
    rows: list[list[Cell]] = [
        [str(day), PLACES[role], name, int(counts.sum()), *_cells(found)]
        for (day, role), matrix in sorted(matrices.items())
        for name, found, counts in zip(classes, class_performance(matrix), matrix, strict=True)
    ]
    return Panel(
        id="by-day",
        title="Metrics by day and class",
        note=f"The newest {MOST_DAYS} days at most, which are those of the predictions, in UTC.",
        drawing="table",
        columns=[
            DAY,
            Column(name="place", label="Place"),
            Column(name="class", label="Class"),
            Column(name="labels", label="Validated samples", kind="integer"),
            *_columns(),
        ],
        rows=rows,
        empty=NO_LABELS,
    )


def _columns() -> list[Column]:
    return [column for name in CLASS_METRICS for column in estimate_columns(name, METRIC_LABELS[name])]


def _cells(found: Mapping[str, Estimate]) -> list[Cell]:
    return [cell for metric in CLASS_METRICS for cell in estimate_cells(found[metric])]


def _bars(role: Role, matrix: Ints, classes: Sequence[str]) -> Panel:
    rows: list[list[Cell]] = [
        [name, *_cells(found)] for name, found in zip(classes, class_performance(matrix), strict=True)
    ]
    return Panel(
        id=IDS[role],
        title=f"{PLACES[role]}: metrics by class",
        note=f"Each class against the rest, with {INTERVAL} intervals; no bar where there is nothing to divide by.",
        drawing="bars",
        columns=[Column(name="class", label="Class"), *_columns()],
        rows=rows if matrix.sum() else [],
        empty=NO_LABELS,
    )


def _confusion(role: Role, matrix: Ints, classes: Sequence[str]) -> Panel:
    rows: list[list[Cell]] = [[name, *counts] for name, counts in zip(classes, matrix.tolist(), strict=True)]
    return Panel(
        id=f"{IDS[role]}-confusion",
        title=f"{PLACES[role]}: confusion matrix",
        note="Rows are true classes, columns predicted ones.",
        drawing="matrix",
        columns=[Column(name="class", label="True class"), *class_columns(classes)],
        rows=rows if matrix.sum() else [],
        empty=NO_LABELS,
    )

"""Tab *Samples by class*: what was predicted, and what was true."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

from common.evaluate import classes_of
from monitor.page.panels import Cell, Column, Panel, Query
from monitor.page.source import Source
from monitor.page.tabs.metrics import DAY, days_of
from monitor.page.tabs.parts import NO_LABELS, NO_PREDICTIONS, class_columns
from monitor.page.tabs.scope import known_classes, span_of

Counts = Mapping[tuple[date, str], int]


def build(source: Source, query: Query) -> list[Panel]:
    """Return its panels."""
    span, history = span_of(source, query), source.store.history
    volumes = [each for each in history.volumes(span) if each.role == "champion"]
    labels = [each for each in history.labels(span) if each.role == "champion"]
    predicted: Counter[tuple[date, str]] = Counter()
    validated: Counter[tuple[date, str]] = Counter()
    for each in volumes:
        predicted[each.day, each.class_name] += each.predictions
    for label in labels:
        validated[label.day, label.true_class] += label.labels
    classes = classes_of(known_classes(source, span), labels, *(each.class_name for each in volumes))
    days = days_of(volumes)
    return [
        _pie("predicted", "Predicted classes", "What the champion has answered.", _totals(predicted, classes)),
        _pie(
            "validated", "True classes", "What it should have been, where that is known.", _totals(validated, classes)
        ),
        _by_day("predicted-by-day", "Predicted classes by day", days, classes, predicted),
        _by_day("validated-by-day", "True classes by day", days, classes, validated),
    ]


def _totals(counts: Counts, classes: Sequence[str]) -> dict[str, int]:
    totals = dict.fromkeys(classes, 0)
    for (_, class_name), count in counts.items():
        totals[class_name] += count
    return totals


def _pie(panel_id: str, title: str, note: str, counts: Mapping[str, int]) -> Panel:
    rows: list[list[Cell]] = [[name, count] for name, count in counts.items()]
    return Panel(
        id=panel_id,
        title=title,
        note=note,
        drawing="pie",
        columns=[Column(name="class", label="Class"), Column(name="samples", label="Samples", kind="integer")],
        rows=rows if any(counts.values()) else [],
        empty=NO_PREDICTIONS if panel_id == "predicted" else NO_LABELS,
    )


def _by_day(panel_id: str, title: str, days: Sequence[date], classes: Sequence[str], counts: Counts) -> Panel:
    rows: list[list[Cell]] = [[str(day), *(counts.get((day, name), 0) for name in classes)] for day in days]
    return Panel(
        id=panel_id,
        title=title,
        note="A day is that of the predictions, in UTC.",
        drawing="stacked",
        columns=[DAY, *class_columns(classes)],
        rows=rows if counts else [],
        empty=NO_PREDICTIONS if panel_id == "predicted-by-day" else NO_LABELS,
    )

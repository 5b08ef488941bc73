"""Tab *Overview*: how much was answered, how good that was, what is out of bounds, who serves."""

from collections.abc import Sequence
from typing import TypeVar

from common.evaluate import classes_of, matrix_of
from common.store.monitoring.alerts import Alert
from common.store.monitoring.exports import day_bounds
from common.store.statistics import LabelSum, Span, VolumeSum
from common.store.tables import Role
from monitor.page.panels import Cell, Column, Panel, Query
from monitor.page.source import Source
from monitor.page.tabs.parts import (
    METRIC_LABELS,
    NO_LABELS,
    NO_PREDICTIONS,
    estimate_cells,
    figures,
    moment,
    percent,
    version_link,
)
from monitor.page.tabs.scope import PLACES, bounds_of, served, span_of
from monitor.statistics.estimates import INTERVAL, METRICS, performance

Row = TypeVar("Row", LabelSum, VolumeSum)
MOST_ALERTS = 50
METHODS = (
    "Wilson's for the accuracy; for the means of precision and recall those of a sum of independent shares; for the "
    "mean of F1, whose classes share rows, one that is rather too wide."
)


def build(source: Source, query: Query) -> list[Panel]:
    """Return its panels."""
    span = span_of(source, query)
    labels, volumes = source.store.statistics.label_sums(span), source.store.statistics.volume_sums(span)
    # Of the monitor itself, too: what it cannot look at is no good news.
    alerts = [*source.store.alerts.open(query.problem), *source.store.alerts.open("")]
    return [
        _counts(_answered(labels), _answered(volumes), alerts),
        _metrics(_answered(labels)),
        _alerts(alerts),
        _served(source, span, volumes, labels),
        _unserved(source, query.problem, span.model_name),
        _history(source.store.alerts.between(query.problem, *bounds_of(query), MOST_ALERTS)),
    ]


def _answered(rows: Sequence[Row]) -> list[Row]:
    return [each for each in rows if each.role == "champion"]


def _counts(labels: Sequence[LabelSum], volumes: Sequence[VolumeSum], alerts: Sequence[Alert]) -> Panel:
    predictions, outliers = sum(each.predictions for each in volumes), sum(each.outliers for each in volumes)
    validated = sum(each.labels for each in labels)
    rows: list[list[Cell]] = [
        ["Predictions", predictions, None, None, "answered by the champion"],
        ["Validated samples", validated, None, None, f"{percent(validated, predictions)} of the predictions"],
        ["Outliers", outliers, None, None, f"{percent(outliers, predictions)} of the predictions"],
        ["Open alerts", len(alerts), None, None, "at this moment"],
    ]
    return Panel(
        id="counts",
        title="Predictions and truths",
        note="What was answered in these days, whichever version was champion.",
        drawing="figures",
        columns=figures("integer"),
        rows=rows if predictions or alerts else [],
        empty=NO_PREDICTIONS,
    )


def _metrics(labels: Sequence[LabelSum]) -> Panel:
    found = performance(matrix_of(labels, classes_of((), labels)))
    remarks = {"accuracy": f"of {sum(each.labels for each in labels)} validated samples"}
    rows: list[list[Cell]] = [
        [METRIC_LABELS[name], *estimate_cells(found[name]), remarks.get(name, "mean of the classes")]
        for name in METRICS
    ]
    return Panel(
        id="metrics",
        title="How good the answers were",
        note=f"With {INTERVAL} intervals: {METHODS}",
        drawing="figures",
        columns=figures("ratio"),
        rows=rows if labels else [],
        empty=NO_LABELS,
    )


def _alerts(alerts: Sequence[Alert]) -> Panel:
    columns = [
        Column(name="since", label="Since", kind="moment"),
        Column(name="kind", label="Kind"),
        Column(name="subject", label="Subject"),
        Column(name="message", label="Message"),
    ]
    rows: list[list[Cell]] = [
        [moment(each.began_at), each.kind.replace("_", " "), each.subject, each.message] for each in alerts
    ]
    return Panel(
        id="alerts",
        title="Open alerts",
        note="What is out of bounds at this moment, whatever the days.",
        drawing="table",
        columns=columns,
        rows=rows,
        empty="Nothing is out of bounds.",
    )


def _history(alerts: Sequence[Alert]) -> Panel:
    rows: list[list[Cell]] = [
        [moment(each.began_at), moment(each.ended_at), each.kind.replace("_", " "), each.subject, each.message]
        for each in alerts
    ]
    return Panel(
        id="history",
        title="Alerts of these days",
        note=f"Open ones and those that are over, the newest {MOST_ALERTS} at most.",
        drawing="table",
        columns=[
            Column(name="began", label="From", kind="moment"),
            Column(name="ended", label="To", kind="moment"),
            Column(name="kind", label="Kind"),
            Column(name="subject", label="Subject"),
            Column(name="message", label="Message"),
        ],
        rows=rows,
        empty="Nothing is out of bounds in these days.",
    )


def _served(source: Source, span: Span, volumes: Sequence[VolumeSum], labels: Sequence[LabelSum]) -> Panel:
    end = day_bounds(span.until)[1]
    history = source.store.champions.history(span.model_name)
    reigns = {reign.model_version: reign for reign in history if reign.since < end}
    rows: list[list[Cell]] = []
    for role, version in served(source, span, volumes).places():
        reign = reigns.get(version) if role == "champion" else None
        known = [PLACES[role], version_link(source, span.model_name, version)]
        became = [moment(reign.since), reign.how] if reign else [None, None]
        rows.append(
            [*known, *became, _total(volumes, role, version, "predictions"), _total(labels, role, version, "labels")]
        )
    return Panel(
        id="served",
        title="Served versions",
        note="The challenger is shown the same rows, and nobody hears its answers.",
        drawing="table",
        columns=[
            Column(name="role", label="Place"),
            Column(name="version", label="Version", kind="link"),
            Column(name="since", label="Champion since", kind="moment"),
            Column(name="how", label="How"),
            Column(name="predictions", label="Predictions", kind="integer"),
            Column(name="labels", label="Validated samples", kind="integer"),
        ],
        rows=rows,
        empty="No version has answered. Register one: make train, or python main.py.",
    )


def _unserved(source: Source, problem: str, model_name: str) -> Panel:
    rows: list[list[Cell]] = [
        [version_link(source, model_name, each.version), each.reason] for each in source.references.unserved(problem)
    ]
    return Panel(
        id="unserved",
        title="Versions that do not serve",
        note="What the api refuses, and a newer version that nobody has promoted, at this moment.",
        drawing="table",
        columns=[Column(name="version", label="Version", kind="link"), Column(name="reason", label="Why")],
        rows=rows,
        empty="No version is refused, and none waits to be promoted. Make another: make train, or python main.py.",
    )


def _total(rows: Sequence[LabelSum] | Sequence[VolumeSum], role: Role, version: int, name: str) -> int:
    return sum(getattr(each, name) for each in rows if (each.role, each.model_version) == (role, version))

"""Tab *Champion and challenger*: side by side, and on the rows that both have answered."""

from collections.abc import Sequence
from dataclasses import dataclass

from common.evaluate import classes_of, matrix_of, mcnemar
from common.store.statistics import LabelSum, Paired, Span, VolumeSum
from common.store.tables import Role
from monitor.page.panels import Cell, Column, Panel, Query
from monitor.page.source import Source
from monitor.page.tabs.parts import (
    METRIC_LABELS,
    NO_LABELS,
    NO_PREDICTIONS,
    estimate_cells,
    estimate_columns,
    figures,
    share,
    version_link,
)
from monitor.page.tabs.scope import PLACES, Served, served, span_of
from monitor.statistics.estimates import INTERVAL, METRICS, Estimate, performance

SIGNIFICANT = 0.05
SMALL = 0.001
NO_PAIRS = (
    "No truth is known about rows that both have answered. Let a version challenge the champion: "
    "POST /models/{version}/challenge at the api; then send rows, and tell truths: POST /feedback."
)


@dataclass(frozen=True)
class Side:
    """A version in its place, and how good its answers were there."""

    role: Role
    version: int
    predictions: int
    outliers: int
    labels: int
    metrics: dict[str, Estimate]


def build(source: Source, query: Query) -> list[Panel]:
    """Return its panels."""
    span, statistics = span_of(source, query), source.store.statistics
    labels, volumes = statistics.label_sums(span), statistics.volume_sums(span)
    now = served(source, span, volumes)
    sides = [_side(role, version, labels, volumes) for role, version in now.places()]
    paired = _paired(source, span, now)
    return [_versions(source, span, sides), _metrics(sides), _pairs(paired), _test(paired)]


def _side(role: Role, version: int, labels: Sequence[LabelSum], volumes: Sequence[VolumeSum]) -> Side:
    labelled = [each for each in labels if (each.role, each.model_version) == (role, version)]
    answered = [each for each in volumes if (each.role, each.model_version) == (role, version)]
    return Side(
        role=role,
        version=version,
        predictions=sum(each.predictions for each in answered),
        outliers=sum(each.outliers for each in answered),
        labels=sum(each.labels for each in labelled),
        metrics=performance(matrix_of(labelled, classes_of((), labelled))),
    )


def _paired(source: Source, span: Span, now: Served) -> Paired:
    if now.champion is None or now.challenger is None:
        return Paired()
    return source.store.statistics.paired(span, now.champion, now.challenger)


def _versions(source: Source, span: Span, sides: Sequence[Side]) -> Panel:
    metrics = [column for name in METRICS for column in estimate_columns(name, METRIC_LABELS[name])]
    rows: list[list[Cell]] = [
        [
            *(PLACES[side.role], version_link(source, span.model_name, side.version), side.predictions),
            *(share(side.outliers, side.predictions), side.labels),
            *(cell for name in METRICS for cell in estimate_cells(side.metrics[name])),
        ]
        for side in sides
    ]
    return Panel(
        id="versions",
        title="Side by side",
        note="Each on all rows that it has answered in its place; precision, recall and F1 are means of the classes.",
        drawing="table",
        columns=[
            Column(name="role", label="Place"),
            Column(name="version", label="Version", kind="link"),
            Column(name="predictions", label="Predictions", kind="integer"),
            Column(name="outliers", label="Outliers", kind="ratio"),
            Column(name="labels", label="Validated samples", kind="integer"),
            *metrics,
        ],
        rows=rows,
        empty=NO_PREDICTIONS,
    )


def _metrics(sides: Sequence[Side]) -> Panel:
    rows: list[list[Cell]] = [
        [METRIC_LABELS[name], *(cell for side in sides for cell in estimate_cells(side.metrics[name]))]
        for name in METRICS
    ]
    columns = [
        column
        for side in sides
        for column in estimate_columns(side.role, f"{PLACES[side.role]}, version {side.version}")
    ]
    return Panel(
        id="metrics",
        title="Metrics side by side",
        note=f"With {INTERVAL} intervals. That two of them overlap says little: the test below does.",
        drawing="bars",
        columns=[Column(name="metric", label="Metric"), *columns],
        rows=rows if any(side.labels for side in sides) else [],
        empty=NO_LABELS,
    )


def _pairs(paired: Paired) -> Panel:
    rows: list[list[Cell]] = [
        ["Champion right", paired.both_right, paired.only_champion_right],
        ["Champion wrong", paired.only_challenger_right, paired.both_wrong],
    ]
    return Panel(
        id="pairs",
        title="On the rows that both have answered",
        note="Those whose truth is known.",
        drawing="table",
        columns=[
            Column(name="champion", label="Rows"),
            Column(name="right", label="Challenger right", kind="integer"),
            Column(name="wrong", label="Challenger wrong", kind="integer"),
        ],
        rows=rows if _total(paired) else [],
        empty=NO_PAIRS,
    )


def _test(paired: Paired) -> Panel:
    p_value = mcnemar(paired.only_champion_right, paired.only_challenger_right)
    rows: list[list[Cell]] = [["p-value", p_value, None, None, _verdict(paired, p_value)]]
    return Panel(
        id="test",
        title="McNemar's exact test",
        note="How often chance alone would part two versions that are right equally often as far as this, or further.",
        drawing="figures",
        columns=figures("number"),
        rows=rows if _total(paired) else [],
        empty=NO_PAIRS,
    )


def _verdict(paired: Paired, p_value: float) -> str:
    first, second = paired.only_champion_right, paired.only_challenger_right
    found = f"Only the champion is right on {first}, only the challenger on {second} of {_total(paired)} rows"
    p = f"p < {SMALL}" if p_value < SMALL else f"p = {p_value:.2g}"
    if p_value >= SIGNIFICANT:
        return f"{found}: that may be chance ({p})."
    better = "champion" if first > second else "challenger"
    return f"{found}: the {better} is better, and chance hardly explains it ({p})."


def _total(paired: Paired) -> int:
    return sum(vars(paired).values())

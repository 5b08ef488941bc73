"""The replay on the tab *Champion and challenger*: the form that starts one, its progress, and its figures."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from common.store.trust.replays import ReplayRequest
from monitor.page.panels import Cell, Panel, PanelTable, PanelText, columns
from monitor.page.replay_form import ReplayForm
from monitor.page.tabs import cells
from monitor.page.view import View
from trust.replay.summary import (
    LEAST_CLASS_TRUTHS,
    LEAST_ROWS,
    PAGE_CHANGED,
    PAGE_ROWS,
    QUANTILES,
    ConfidenceDrift,
    PageReplay,
    ReplayedClass,
    ReplaySummary,
)

MOST = f"{PAGE_ROWS:,}"
REPLAY = PanelText(
    "replay",
    "Replay on another version",
    "No replay has been started. Write the number of a registered version, or: `python -m scripts.replay`",
    f"A registered version answers the newest {MOST} logged rows of the chosen time again, beside what was served. A "
    "replay changes nothing, and only one runs at a time. python -m scripts.replay does it with any number of rows.",
    "figures",
)
SHARES = PanelText(
    "replay-shares",
    "Replay: answers",
    "",
    "Ground truths came for the rows that people noticed, so they need not speak for all rows.",
    "figures",
)
CLASSES = PanelText(
    "replay-classes",
    "Replay: classes",
    "",
    f"A share needs {LEAST_ROWS} rows, a recall {LEAST_CLASS_TRUTHS} ground truths of its class; without them the cell "
    "is empty. Gain: only the replayed version is right. Harm: only the served version was right.",
)
CHANGES = PanelText(
    "replay-changes",
    "Replay: changed answers",
    "The version answers all rows as they were answered.",
    "Gain and harm are known only of rows with ground truth.",
)
CONFIDENCE = PanelText(
    "replay-confidence",
    "Replay: confidence",
    "One of the versions gives no probabilities, so there is no confidence to compare.",
    f"Of the same rows, as served and replayed, by served class; at least {LEAST_ROWS} rows each. In 5 % of the "
    "rows the confidence is below the 5 % quantile, in half of them below the median.",
)
SHOWN = {"5 % quantile": 0, "Median": QUANTILES.index(0.5)}  # places in `QUANTILES`


def panels(view: View) -> list[Panel]:
    """Return the panel with the form and, once a replay has a result, those of its figures."""
    newest = view.store.trust.replays.newest(view.selection.problem)
    found = PageReplay.model_validate(newest.summary) if newest and newest.summary else None
    panel = _panel(view, newest, found)
    if found is None:
        return [panel]
    figures = found.figures
    return [panel, _shares(figures), _classes(figures), _changes(figures), _confidence(figures)]


def _panel(view: View, newest: ReplayRequest | None, found: PageReplay | None) -> Panel:
    text = REPLAY
    if newest and newest.error:
        failure = f"The replay on version {newest.version} has no result: {newest.error}."
        text = replace(REPLAY, warning=failure, empty="There are no figures. Start another replay.")
    rows: list[Sequence[Cell]] = []
    csv = ""
    if newest and found:
        rows = _counts(newest, found.figures)
        csv = f"/replays/{newest.id}.csv" if found.changed else ""
    elif newest and newest.finished_at is None:
        state = "running" if newest.started_at else "begins within seconds"
        rows = [["Rows answered again", newest.done, None, None, f"{state}: version {newest.version}, {_days(newest)}"]]
    form = ReplayForm(
        version=_proposed(view, newest),
        is_open=newest is not None and newest.finished_at is None,
        done=newest.done if newest and newest.finished_at is None else 0,
        most=PAGE_ROWS,
        csv=csv,
        listed=len(found.changed) if found else 0,
    )
    return text.panel(cells.figures("integer"), rows).model_copy(update={"replay": form})


def _proposed(view: View, newest: ReplayRequest | None) -> int | None:
    """Return the version that somebody may want: the one of the newest replay, else the challenger or champion."""
    return newest.version if newest else view.served.challenger or view.served.champion


def _days(newest: ReplayRequest) -> str:
    last = newest.until - timedelta(microseconds=1)
    return f"{newest.since:%Y-%m-%d} to {last:%Y-%m-%d}"


def _counts(newest: ReplayRequest, figures: ReplaySummary) -> list[Sequence[Cell]]:
    span = f"{figures.first:%Y-%m-%d %H:%M} to {figures.last:%Y-%m-%d %H:%M}"
    skipped = f"; {figures.skipped:,} more lack a feature of this version" if figures.skipped else ""
    truths = figures.accuracy
    rows = f"by version {newest.version}: {span} UTC{skipped}"
    changed = f"the CSV file has the newest {PAGE_CHANGED:,}" if figures.changed > PAGE_CHANGED else ""
    return [
        ["Rows answered again", figures.rows, None, None, rows],
        ["Changed answers", figures.changed, None, None, changed],
        ["Changed, ground truth unknown", figures.unknown, None, None, ""],
        [cells.WITH_TRUTH, truths.truths, None, None, ""],
        ["Gain", truths.gain, None, None, "only the replayed version is right"],
        ["Harm", truths.harm, None, None, "only the served version was right"],
    ]


def _shares(figures: ReplaySummary) -> Panel:
    truths = figures.accuracy
    few_truths = f"not enough data: fewer than {LEAST_ROWS} ground truths"
    few_rows = f"not enough data: fewer than {LEAST_ROWS} rows"
    values = [
        ("Answered alike", figures.alike, few_rows, f"of {figures.rows:,} rows"),
        ("Accuracy as served", truths.before, few_truths, f"of {truths.truths:,} ground truths"),
        ("Accuracy replayed", truths.after, few_truths, f"of {truths.truths:,} ground truths"),
        ("Change of accuracy", truths.change, few_truths, "with Tango's interval of a paired difference"),
    ]
    rows = [[name, *cells.estimate_cells(found), remark if found else few] for name, found, few, remark in values]
    return SHARES.panel(cells.figures("ratio"), rows)


def _classes(figures: ReplaySummary) -> Panel:
    alike = cells.estimate_columns({"alike": "Alike"})
    recalls = {"before": "Recall as served", "after": "Recall replayed", "change": "Change"}
    return (
        PanelTable(CLASSES, figures.classes)
        .column(cells.CLASS, lambda each: each.name)
        .add("integer", "served", "Served", lambda each: each.served)
        .columns(alike, lambda each: cells.estimate_cells(each.alike))
        .add("integer", "replayed", "Replayed", lambda each: each.replayed)
        .add("integer", "labels", cells.WITH_TRUTH, lambda each: each.recall.truths)
        .add("integer", "gain", "Gain", lambda each: each.recall.gain)
        .add("integer", "harm", "Harm", lambda each: each.recall.harm)
        .columns(cells.estimate_columns(recalls), _recalls)
        .panel()
    )


def _recalls(each: ReplayedClass) -> list[Cell]:
    return cells.estimate_cells(each.recall.before, each.recall.after, each.recall.change)


def _changes(figures: ReplaySummary) -> Panel:
    return (
        PanelTable(CHANGES, figures.changes)
        .add("text", "served", "Served", lambda each: each.served)
        .add("text", "replayed", "Replayed", lambda each: each.replayed)
        .add("integer", "rows", "Rows", lambda each: each.rows)
        .add("integer", "gain", "Gain", lambda each: each.gain)
        .add("integer", "harm", "Harm", lambda each: each.harm)
        .panel()
    )


def _confidence(figures: ReplaySummary) -> Panel:
    means = {"before": "Mean as served", "after": "Mean replayed", "change": "Mean change"}
    sides = {f"{when}-{place}": f"{name} {when}" for name, place in SHOWN.items() for when in ("as served", "replayed")}
    head = [*columns("text", name="Served class"), *columns("integer", rows="Rows")]
    records = [("all", figures.confidence), *((each.name, each.confidence) for each in figures.classes)]
    return CONFIDENCE.panel(
        [*head, *cells.estimate_columns(means, "number"), *columns("number", **sides)],
        [[name, drift.rows, *_drift_cells(drift)] for name, drift in records],
        has_data=figures.confidence.rows > 0,
    )


def _drift_cells(drift: ConfidenceDrift) -> list[Cell]:
    if drift.before is None or drift.after is None:
        return [None] * (9 + 2 * len(SHOWN))
    quantiles = [side.quantiles[place] for place in SHOWN.values() for side in (drift.before, drift.after)]
    return [*cells.estimate_cells(drift.before.mean, drift.after.mean, drift.change), *quantiles]

"""The gate's verdicts, and the label queue: predictions whose ground truth would settle an open verdict."""

from collections.abc import Mapping
from typing import Any

from common.judgement.gate import ANCHOR, CHAMPION
from common.judgement.settle import WantedLabel, wanted_labels
from common.store.judgements import JudgementRecord
from common.store.predictions import LoggedPrediction
from monitor.page.panels import Panel, PanelTable, PanelText, columns
from monitor.page.table_parts import Choices
from monitor.page.tabs.cells import (
    FLOW_RUN,
    VERSION,
    correct_one,
    estimate_columns,
    feature_columns,
    only_csv,
    prediction_link,
)
from monitor.page.view import View

MOST_JUDGEMENTS = 50
NO_JUDGEMENTS = "The gate has judged no version in the chosen time."
NONE_WANTED = (
    "No verdict is open that a ground truth could settle, so there is nothing to label. When there is, "
    "GET /labels/wanted at the api has the same predictions."
)
BASELINES = (CHAMPION, ANCHOR)
# The counts against the champion, by their column.
COUNTS = {"gain": "Gain", "harm": "Harm", "unknown": "Unknown", "n": "Rows", "known": "Labelled"}


def counting(view: View) -> str:
    """Return which ground truths count, in words."""
    if view.backends.trusted_only:
        return "API_KEY is set: only ground truths with the key count."
    return "API_KEY is not set: all ground truths count, whoever sends them."


def verdicts(view: View) -> Panel:
    """Return the newest judgements of the selected days; with selected versions, only those of these versions."""
    since, until = view.bounds
    chosen = view.selection.versions
    found = [
        each
        for each in view.store.judgements.newest(view.selection.problem, MOST_JUDGEMENTS)
        if since <= each.judged_at < until and (not chosen or each.version in chosen)
    ]
    note = (
        f"The newest {MOST_JUDGEMENTS} at most. {counting(view)} Gain, harm and unknown are rows against the champion; "
        "the differences of the accuracies, with their limits, are in points. docs/judgement.md explains these words."
    )
    changes = estimate_columns({name: f"Against the {name}" for name in BASELINES}, "number")
    empty = f"{NO_JUDGEMENTS} {correct_one(view)}" if not found else NO_JUDGEMENTS
    hidden = only_csv([*columns("text", candidate="Candidate", taught="Answered as taught"), FLOW_RUN])
    return (
        PanelTable(PanelText("verdicts", "Verdicts of the gate", empty, note), found)
        .add("moment", "judged", "Judged", lambda each: each.judged_at)
        .add("text", "verdict", "Verdict", lambda each: each.verdict)
        .column(VERSION, lambda each: view.version_link(each.version))
        .columns(columns("integer", **COUNTS), lambda each: [_against(each, CHAMPION).get(name) for name in COUNTS])
        .columns(changes, lambda each: [cell for name in BASELINES for cell in _change(_against(each, name))])
        .add("text", "because", "Reason", lambda each: each.details.get("because"))
        .add("text", "outcome", "What happened then", lambda each: each.outcome)
        .columns(hidden, lambda each: [each.candidate, _taught(each), view.flow_run_link(each.flow_run_id)])
        .panel()
    )


def label_queue(view: View) -> Panel:
    """Return the predictions that the newest verdict wants the ground truth of, if it is open, with the form."""
    problem = view.selection.problem
    newest, found = wanted(view)
    takes = view.takes_forms
    how = "Click on the right class." if takes else f"Send each to POST /feedback at the api of {problem}."
    note = (
        f"The verdict on version {newest.version} is open. With the ground truths of these predictions it becomes "
        f"accepted or refused, and the api acts on it. {how}"
        if newest and found
        else ""
    )
    features = feature_columns(logged.row["features"] for _, logged in found)
    panel = (
        PanelTable(PanelText("wanted", "Predictions to label", NONE_WANTED, note), found)
        .add("link", "prediction", "Prediction", lambda row: prediction_link(problem, row[0].prediction_id))
        .columns(features.values(), lambda row: [row[1].row["features"].get(name) for name in features])
        .add("text", "candidate", "New version", lambda row: row[0].candidate)
        .add("text", "champion", "Compared with", lambda row: row[0].champion)
        .panel()
    )
    if takes and found:
        answered = [name for label, _ in found for name in (label.candidate, label.champion)]
        panel.choices = Choices(
            classes=list(dict.fromkeys([*view.classes, *answered])),
            rows=[label.prediction_id for label, _ in found],
        )
    return panel


def wanted(view: View) -> tuple[JudgementRecord | None, list[tuple[WantedLabel, LoggedPrediction]]]:
    """Return the newest judgement, and the predictions whose ground truth it still wants, the most helpful first."""
    newest = next(iter(view.store.judgements.newest(view.selection.problem, 1)), None)
    if newest is None or not newest.is_open:
        return newest, []
    logged = ((each, view.store.predictions.get(each.prediction_id)) for each in wanted_labels(newest.details))
    return newest, [(each, rows[0]) for each, rows in logged if rows and rows[0].truth is None]


def _against(judgement: JudgementRecord, baseline: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = judgement.details.get("against", {}).get(baseline, {})
    return found


def _change(against: Mapping[str, Any]) -> list[float | None]:
    """Return the difference of the accuracies and its limits, in points."""
    if not against:
        return [None] * 3
    rows = against["known" if against.get("set_aside") else "n"]
    change = (against["gain"] - against["harm"]) / max(rows, 1)
    return [round(100 * share, 1) for share in (change, against["low"], against["high"])]


def _taught(judgement: JudgementRecord) -> str | None:
    taught = judgement.details.get("taught")
    if not taught:
        return None
    return f"{judgement.details['taught_before']} → {judgement.details['taught_after']} of {taught}"

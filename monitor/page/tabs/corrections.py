"""Tab *Corrections*: the review and label queues, the gate's verdicts, fine-tunings, and each correction's state."""

from collections.abc import Sequence
from urllib.parse import urlencode

from common.store.suggestions import TRAIN_AT, Suggestion
from monitor.page.lineage_picture import linked
from monitor.page.panels import Panel, PanelTable, PanelText, columns
from monitor.page.tabs.cells import CLASS, FLOW_RUN, METRIC_LABELS, NO_CORRECTIONS, VERSION, prediction_link
from monitor.page.tabs.one_correction import one_correction
from monitor.page.tabs.review import review_queue
from monitor.page.tabs.verdicts import label_queue, verdicts
from monitor.page.view import View
from monitor.page.withdrawable import Withdrawable
from monitor.statistics.estimates import METRICS

MOST_CORRECTIONS = 200
NONE_LEARNT = (
    "These versions have learnt from no correction of these days. Select others, or send corrections: POST /suggest at "
    "the api."
)
RUNS = PanelText(
    "runs",
    "Fine-tuning",
    f"No fine-tuning used corrections of these days: {TRAIN_AT} of them make a new version.",
    "The result of the corrections that were learnt together. The flow run is that of the last one.",
)


def build(view: View) -> list[Panel]:
    """Return the panels of the tab; with selected versions, only corrections that these have learnt from."""
    chosen = view.selection
    found = view.store.correction_history.newest(chosen.problem, *view.bounds, MOST_CORRECTIONS, chosen.versions)
    waiting = sum(
        each.suggestions
        for each in view.store.correction_history.by_state()
        if (each.problem, each.state) == (chosen.problem, "waiting")
    )
    return [
        *one_correction(view),
        review_queue(view),
        label_queue(view),
        verdicts(view),
        _runs(view, found),
        _corrections(view, found, waiting),
    ]


def _corrections(view: View, found: Sequence[Suggestion], waiting: int) -> Panel:
    text = PanelText(
        "corrections",
        "Corrections",
        NONE_LEARNT if view.selection.versions else NO_CORRECTIONS,
        f"The newest {MOST_CORRECTIONS} at most; {TRAIN_AT} waiting corrections make a new version.",
    )
    panel = (
        PanelTable(text, found)
        .add("moment", "received", "Received", lambda each: each.received_at)
        .column(CLASS, lambda each: each.class_name)
        .add("link", "prediction", "Prediction", lambda each: prediction_link(each.problem, each.prediction_id))
        .add("text", "state", "State", lambda each: each.state)
        .add("text", "detail", "Detail", lambda each: _detail(each, waiting))
        .column(VERSION, lambda each: view.version_link(each.trained_version))
        .column(FLOW_RUN, lambda each: view.flow_run_link(each.flow_run_id))
        .add("link", "lineage", "Lineage", lambda each: linked("correction", each.problem, each.id))
        .add("text", "source", "Source", lambda each: each.source)
        .add("text", "id", "Id", lambda each: each.id)
        .add("link", "history", "History", _history)
        .panel()
    )
    ids = [each.id if each.state != "withdrawn" else "" for each in found]
    if view.takes_forms and any(ids):
        panel.withdrawal = Withdrawable(rows=ids, key=view.backends.review_key)
    return panel


def _detail(correction: Suggestion, waiting: int) -> str:
    match correction.state:
        case "received" if correction.last_error:
            return f"not sent to Prefect after {correction.attempts} attempts: {correction.last_error}"
        case "delivered" | "waiting" if correction.last_error:
            return f"will be sent to Prefect again: {correction.last_error}"
        case "received" | "delivered":
            return "Prefect has it" if correction.flow_run_id else "will be sent to Prefect"
        case "waiting":
            return f"waiting ({waiting} of {TRAIN_AT})"
        case "trained":
            return f"learnt by version {correction.trained_version}"
        case "refused" | "quarantined" | "withdrawn":
            return _reason(correction) or ""


def _runs(view: View, found: Sequence[Suggestion]) -> Panel:
    tested = columns("ratio", **{name: f"{METRIC_LABELS[name]} on the test rows" for name in METRICS})
    return (
        PanelTable(RUNS, _batches(found))
        .add("moment", "received", "Last correction", lambda batch: batch[0].received_at)
        .add("integer", "corrections", "Corrections", len)
        .add("text", "state", "Outcome", lambda batch: batch[0].state)
        .column(VERSION, lambda batch: view.version_link(batch[0].trained_version))
        .add("text", "reason", "Refused or quarantined because", lambda batch: _reason(batch[0]))
        .columns(tested, lambda batch: _test_results(view, batch[0].trained_version))
        .column(FLOW_RUN, lambda batch: view.flow_run_link(max(batch, key=_row_number).flow_run_id))
        .panel()
    )


def _batches(found: Sequence[Suggestion]) -> list[list[Suggestion]]:
    """Return the corrections that fine-tuning has settled, newest first, grouped by their common outcome.

    A correction that was refused before it had a row in the file belongs to no group, nor does one that vetting put
    into quarantine before a version learnt it.
    """
    batches: dict[tuple[int | None, str | None, str | None], list[Suggestion]] = {}
    for each in found:
        reasons = each.refused_because, each.quarantined_because
        learnt = each.state in {"trained", "quarantined"} and each.trained_version is not None
        if learnt or (each.state == "refused" and each.row_number is not None):
            batches.setdefault((each.trained_version, *reasons), []).append(each)
    return list(batches.values())


def _test_results(view: View, version: int | None) -> list[float | None]:
    found = view.backends.references.tested(view.span.model_name, version) if version is not None else {}
    return [found.get(name) for name in METRICS]


def _reason(correction: Suggestion) -> str | None:
    return correction.withdrawn_because or correction.quarantined_because or correction.refused_because


def _history(correction: Suggestion) -> str:
    """Return a link to the history of a correction, where a person can take it back."""
    query = urlencode({"problem": correction.problem, "correction": correction.id})
    words = "history, take back" if correction.state == "trained" else "history"
    return f"{words}|/tab/corrections?{query}#correction"


def _row_number(correction: Suggestion) -> int:
    return correction.row_number or 0

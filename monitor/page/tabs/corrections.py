"""Tab *Corrections*: the review and label queues, the gate's verdicts, fine-tunings, and each correction's state."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from common.store.suggestions import TRAIN_AT, State, Suggestion
from monitor.page.findings import Level
from monitor.page.lineage_picture import linked
from monitor.page.panels import Column, Panel, PanelTable, PanelText, columns
from monitor.page.tabs.cells import (
    FLOW_RUN,
    ID,
    METRIC_LABELS,
    SHOWN_FEATURES,
    VERSION,
    correct_one,
    feature_columns,
    only_csv,
    prediction_link,
)
from monitor.page.tabs.one_correction import one_correction
from monitor.page.tabs.review import review_queue
from monitor.page.tabs.verdicts import label_queue, verdicts
from monitor.page.view import View
from monitor.page.withdrawable import Withdrawable
from monitor.statistics.digits import count_text, measured_text
from monitor.statistics.estimates import METRICS

MOST_CORRECTIONS = 200
RIGHT_CLASS = Column(name="class", label="Right class")
NONE_CAME = "No correction came in the chosen time."
NONE_LEARNT = "The chosen versions have learnt from no correction of the chosen time."
LEVELS: dict[State, Level] = {"trained": "good", "refused": "watch", "quarantined": "watch"}


@dataclass(frozen=True)
class Listed:
    """A correction, and what is known about the answer that it corrects.

    Attributes:
        answer: the class that the champion answered; None if nobody knows.
        verdict: the gate's verdict on the version that learnt it; None without one.
    """

    correction: Suggestion
    answer: str | None
    verdict: str | None


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
        _corrections(view, _listed(view, found), waiting),
        verdicts(view),
        _runs(view, found, waiting),
    ]


def _listed(view: View, found: Sequence[Suggestion]) -> list[Listed]:
    """Look up what the champion answered: the log knows it, and vetting asks the champion if there is no prediction."""
    history = view.store.correction_history
    answers = history.answers({each.prediction_id for each in found if each.prediction_id})
    vetted = view.store.trust.vettings.of([each.id for each in found])
    judged = history.verdicts_of({each.judgement_id for each in found if each.judgement_id})

    def answer(each: Suggestion) -> str | None:
        if each.prediction_id in answers:
            return answers[each.prediction_id]
        return vetted[each.id].details.get("answer") if each.id in vetted else None

    return [Listed(each, answer(each), judged.get(each.judgement_id or "")) for each in found]


def _corrections(view: View, found: Sequence[Listed], waiting: int) -> Panel:
    none = NONE_LEARNT if view.selection.versions else NONE_CAME
    text = PanelText(
        "corrections",
        "Corrections",
        f"{none} {correct_one(view)}" if not found else none,
        f"The newest {MOST_CORRECTIONS} at most. {TRAIN_AT} that wait make a new version.",
    )
    features = feature_columns(each.correction.features for each in found).values()
    panel = (
        PanelTable(text, found)
        .column(RIGHT_CLASS, lambda each: each.correction.class_name)
        .add("text", "answer", "Champion answered", lambda each: each.answer)
        .add("text", "features", "Features", lambda each: _features(each.correction))
        .add("text", "state", "State", lambda each: each.correction.state)
        .add("text", "detail", "Explanation", lambda each: _detail(each.correction, waiting))
        .add("text", "verdict", "Verdict", lambda each: each.verdict)
        .add("moment", "received", "Received", lambda each: each.correction.received_at)
        .column(ID, lambda each: each.correction.id)
        .add("link", "history", "History", lambda each: _history(each.correction))
        .columns(only_csv(_linked_columns()), lambda each: _links(view, each.correction))
        .columns(only_csv(features), lambda each: [each.correction.features.get(column.label) for column in features])
        .panel()
    )
    panel.levels = [LEVELS.get(each.correction.state, "unknown") for each in found]
    ids = [each.correction.id if each.correction.state != "withdrawn" else "" for each in found]
    if view.takes_forms and any(ids):
        panel.withdrawal = Withdrawable(rows=ids)
    return panel


def _linked_columns() -> list[Column]:
    links = columns("link", prediction="Prediction", lineage="Lineage")
    return [*columns("text", source="Source"), *links, VERSION, FLOW_RUN]


def _links(view: View, correction: Suggestion) -> list[str | None]:
    return [
        correction.source,
        prediction_link(correction.problem, correction.prediction_id),
        linked("correction", correction.problem, correction.id),
        view.version_link(correction.trained_version),
        view.flow_run_link(correction.flow_run_id),
    ]


def _features(correction: Suggestion) -> str:
    """Return the first features in words; the CSV has all."""
    values = [
        f"{name} {value if isinstance(value, str) else measured_text(value)}"
        for name, value in correction.features.items()
    ]
    more = len(values) - SHOWN_FEATURES
    return ", ".join(values[:SHOWN_FEATURES]) + (f" and {more} more" if more > 0 else "")


def _detail(correction: Suggestion, waiting: int) -> str:
    match correction.state:
        case "received" if correction.last_error:
            return f"not sent to Prefect, after {_attempts(correction)}: {correction.last_error}"
        case "delivered" | "waiting" if correction.last_error:
            return f"will be sent to Prefect again: {correction.last_error}"
        case "received" | "delivered":
            return "Prefect has it" if correction.flow_run_id else "will be sent to Prefect"
        case "waiting":
            return f"{count_text(waiting)} of {TRAIN_AT} wait for a new version"
        case "trained":
            return f"learnt by version {correction.trained_version}"
        case "refused" | "quarantined" | "withdrawn":
            return _reason(correction) or ""


def _runs(view: View, found: Sequence[Suggestion], waiting: int) -> Panel:
    none = (
        f"No version has learnt the {count_text(len(found))} corrections of the chosen time yet. {count_text(waiting)} "
        f"wait, and {TRAIN_AT} make a new version. {correct_one(view)}"
        if found
        else f"{NONE_CAME} {TRAIN_AT} make a new version. {correct_one(view)}"
    )
    runs = _batches(found)
    note = "A row for the corrections that were learnt together. The flow run is that of the last one."
    text = PanelText("runs", "Fine-tuning", NONE_CAME if runs else none, note)
    tested = columns("ratio", **{name: f"{METRIC_LABELS[name]}, test rows" for name in METRICS})
    return (
        PanelTable(text, runs)
        .add("moment", "received", "Last correction", lambda batch: batch[0].received_at)
        .add("integer", "corrections", "Corrections", len)
        .add("text", "state", "Outcome", lambda batch: batch[0].state)
        .column(VERSION, lambda batch: view.version_link(batch[0].trained_version))
        .add("text", "reason", "Reason", lambda batch: _reason(batch[0]))
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
    return f"history|/tab/corrections?{query}#correction"


def _attempts(correction: Suggestion) -> str:
    return "1 attempt" if correction.attempts == 1 else f"{correction.attempts} attempts"


def _row_number(correction: Suggestion) -> int:
    return correction.row_number or 0

"""Tab *Corrections*: where each one is, and what fine-tuning has made of them."""

from collections.abc import Sequence
from urllib.parse import urlencode

from common.store.suggestions import TRAIN_AT, Suggestion
from monitor.page.panels import Cell, Column, Panel, Query
from monitor.page.source import Source
from monitor.page.tabs.parts import METRIC_LABELS, NO_CORRECTIONS, flow_run_link, moment, version_link
from monitor.page.tabs.scope import bounds_of, span_of
from monitor.statistics.estimates import METRICS

MOST_CORRECTIONS = 200
NONE_LEARNT = (
    "These versions have learnt from no correction of these days. Choose others, or send corrections: POST /suggest at "
    "the api."
)


def build(source: Source, query: Query) -> list[Panel]:
    """Return its panels; with versions, only of what these have learnt."""
    found = source.store.correction_history.newest(query.problem, *bounds_of(query), MOST_CORRECTIONS, query.versions)
    model_name = span_of(source, query).model_name
    waiting = sum(
        each.suggestions
        for each in source.store.correction_history.by_state()
        if (each.problem, each.state) == (query.problem, "waiting")
    )
    empty = NONE_LEARNT if query.versions else NO_CORRECTIONS
    return [_runs(source, model_name, found), _corrections(source, model_name, found, waiting, empty)]


def _corrections(source: Source, model_name: str, found: Sequence[Suggestion], waiting: int, empty: str) -> Panel:
    rows: list[list[Cell]] = [
        [
            *(moment(each.received_at), each.class_name, _prediction_link(each), each.state, _detail(each, waiting)),
            *(version_link(source, model_name, each.trained_version), flow_run_link(source, each.flow_run_id)),
            each.id,
        ]
        for each in found
    ]
    return Panel(
        id="corrections",
        title="Corrections",
        note=f"The newest {MOST_CORRECTIONS} at most; {TRAIN_AT} that wait make a new version.",
        drawing="table",
        columns=[
            Column(name="received", label="Received", kind="moment"),
            Column(name="class", label="Class"),
            Column(name="prediction", label="Prediction", kind="link"),
            Column(name="state", label="State"),
            Column(name="detail", label="Detail"),
            Column(name="version", label="Version", kind="link"),
            Column(name="flow_run", label="Prefect", kind="link"),
            Column(name="id", label="Id"),
        ],
        rows=rows,
        empty=empty,
    )


def _prediction_link(correction: Suggestion) -> str | None:
    if correction.prediction_id is None:
        return None
    query = urlencode({"problem": correction.problem, "id": correction.prediction_id})
    return f"{correction.prediction_id}|/tab/predictions?{query}"


def _detail(correction: Suggestion, waiting: int) -> str:
    match correction.state:
        case "received" if correction.last_error:
            return f"not handed to Prefect after {correction.attempts} attempts: {correction.last_error}"
        case "delivered" | "waiting" if correction.last_error:
            return f"to be handed to Prefect anew: {correction.last_error}"
        case "received" | "delivered":
            return "Prefect has it" if correction.flow_run_id else "to be handed to Prefect"
        case "waiting":
            return f"waiting ({waiting} of {TRAIN_AT})"
        case "trained":
            return f"learnt by version {correction.trained_version}"
        case "refused":
            return correction.refused_because or ""


def _runs(source: Source, model_name: str, found: Sequence[Suggestion]) -> Panel:
    rows: list[list[Cell]] = [
        [
            *(moment(batch[0].received_at), len(batch), batch[0].state),
            *(version_link(source, model_name, batch[0].trained_version), batch[0].refused_because),
            *_results(source, model_name, batch[0].trained_version),
            flow_run_link(source, max(batch, key=_row_number).flow_run_id),
        ]
        for batch in _batches(found)
    ]
    return Panel(
        id="runs",
        title="Fine-tuning",
        note="What became of the corrections that were learnt together. The flow run is that of the last of them.",
        drawing="table",
        columns=[
            Column(name="received", label="Last correction", kind="moment"),
            Column(name="corrections", label="Corrections", kind="integer"),
            Column(name="state", label="Outcome"),
            Column(name="version", label="Version", kind="link"),
            Column(name="reason", label="Refused because"),
            *(Column(name=name, label=f"{METRIC_LABELS[name]} on the test rows", kind="ratio") for name in METRICS),
            Column(name="flow_run", label="Prefect", kind="link"),
        ],
        rows=rows,
        empty=f"Nothing was fine-tuned with corrections of these days: {TRAIN_AT} of them make a new version.",
    )


def _batches(found: Sequence[Suggestion]) -> list[list[Suggestion]]:
    """Return the corrections that fine-tuning has settled, newest first, by the version or the refusal that they share.

    One that was refused before it had a row was no part of any.
    """
    batches: dict[tuple[int | None, str | None], list[Suggestion]] = {}
    for each in found:
        if each.state in {"trained", "refused"} and each.row_number is not None:
            batches.setdefault((each.trained_version, each.refused_because), []).append(each)
    return list(batches.values())


def _results(source: Source, model_name: str, version: int | None) -> list[float | None]:
    found = source.references.tested(model_name, version) if version is not None else {}
    return [found.get(name) for name in METRICS]


def _row_number(correction: Suggestion) -> int:
    return correction.row_number or 0

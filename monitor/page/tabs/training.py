"""Tab *Training data*: what the served version has learnt from, and the corrections that have come."""

from collections import Counter

from monitor.page.panels import Cell, Column, Panel, Query
from monitor.page.source import Source
from monitor.page.tabs.parts import NO_CORRECTIONS, share
from monitor.page.tabs.scope import bounds_of, span_of
from monitor.statistics.reference import Reference

CLASS = Column(name="class", label="Class")
NOT_KNOWN = (
    "The served version is not known, or tells nothing of its training rows. Start MLflow, and register a version: "
    "make train, or python main.py."
)

ALL_SETTLED = (
    "All corrections of these days have been learnt or refused: the tab Corrections says which. POST /suggest at the "
    "api for another."
)


def build(source: Source, query: Query) -> list[Panel]:
    """Return its panels."""
    reference = source.references.of(span_of(source, query).model_name)
    found = source.store.correction_history.by_class(query.problem, *bounds_of(query))
    learnt, ahead = Counter[str](), Counter[str]()
    for (class_name, state), number in found.items():
        if state != "refused":
            (learnt if state == "trained" else ahead)[class_name] += number
    return [_training(reference), _corrections(ahead, has_come=bool(found)), _together(reference, learnt, ahead)]


def _training(reference: Reference | None) -> Panel:
    counts = reference.class_counts if reference else {}
    version = f" of version {reference.version}" if reference else ""
    rows: list[list[Cell]] = [[name, count] for name, count in counts.items()]
    return Panel(
        id="training",
        title=f"Training rows{version}",
        note="What the served version has learnt from; a fine-tuned one, its corrections too.",
        drawing="pie",
        columns=[CLASS, Column(name="rows", label="Rows", kind="integer")],
        rows=rows,
        empty=NOT_KNOWN,
    )


def _corrections(corrections: Counter[str], *, has_come: bool) -> Panel:
    rows: list[list[Cell]] = [[name, count] for name, count in sorted(corrections.items())]
    return Panel(
        id="corrections",
        title="Corrections since",
        note="Those of these days that no version has learnt from yet, and that were not refused.",
        drawing="pie",
        columns=[CLASS, Column(name="corrections", label="Corrections", kind="integer")],
        rows=rows,
        empty=ALL_SETTLED if has_come else NO_CORRECTIONS,
    )


def _together(reference: Reference | None, learnt: Counter[str], ahead: Counter[str]) -> Panel:
    counts = Counter(reference.class_counts if reference else {})
    names = [*counts, *sorted((learnt.keys() | ahead.keys()) - counts.keys())]
    rows: list[list[Cell]] = [
        [name, counts[name], share(counts[name], counts.total()), learnt[name], ahead[name]] for name in names
    ]
    return Panel(
        id="together",
        title="Training rows and corrections",
        note="Corrections that a version has learnt from are among its training rows.",
        drawing="table",
        columns=[
            CLASS,
            Column(name="rows", label="Training rows", kind="integer"),
            Column(name="share", label="Share of them", kind="ratio"),
            Column(name="learnt", label="Corrections learnt", kind="integer"),
            Column(name="ahead", label="Corrections on their way", kind="integer"),
        ],
        rows=rows,
        empty=NOT_KNOWN,
    )

"""Everything that the templates need to show the strip and to choose its time."""

from datetime import date, datetime
from typing import Any

from monitor.page.data import TabData
from monitor.page.query import PageQuery
from monitor.page.timeline.strip import Strip, length_words
from monitor.page.timeline.timeline import timeline_of
from monitor.page.timeline.window import LABELS
from monitor.page.view import Backends, Selection, View


def strip(backends: Backends, data: TabData, selection: Selection, asked: PageQuery) -> dict[str, Any]:
    """Return the variables of the templates `tab.html` and `timeline.html`."""
    timeline = timeline_of(View(backends, selection))
    window = timeline.window
    return {
        "timeline": timeline,
        "tables": [(each, f"/{each.id}.csv{asked.suffix(problem=data.problem)}") for each in timeline.data().panels],
        "strip": Strip(timeline),
        "bucket_words": length_words(window),
        "spans": [(name, label, asked.suffix(span=name, since=None, until=None)) for name, label in LABELS.items()],
        "from_field": _field(asked.since),
        "to_field": _field(asked.until, last=True),
        # Tables by day show whole days, which may be more than the selected time.
        "whole_days": selection.begins is not None or selection.ends is not None,
    }


def _field(time: date | None, *, last: bool = False) -> str:
    """Return the value of a field for a moment; the last minute of a day ends it."""
    if time is None:
        return ""
    if isinstance(time, datetime):
        return f"{time:%Y-%m-%dT%H:%M}"
    return f"{time}T23:59" if last else f"{time}T00:00"

"""Columns, cells and advice that several tabs share."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any
from urllib.parse import urlencode

from common.evaluate import Estimate
from common.store.monitoring.prediction_search import Search
from common.store.statistics import LabelSum, VolumeSum
from monitor.page.commands import TRAFFIC, curl
from monitor.page.formatting import short_id
from monitor.page.panels import Cell, Column, Kind, columns
from monitor.page.view import View
from monitor.statistics.digits import percentage_text
from monitor.statistics.estimates import METRICS, Estimates

NO_PREDICTIONS = f"No prediction of the chosen time and versions. Send rows for a minute: `{TRAFFIC}`"
NO_LABELS = f"No prediction of the chosen time has a ground truth. Send rows and their ground truth: `{TRAFFIC}`"
METRIC_LABELS = {name: name.capitalize() for name in (*METRICS, "specificity")}
SHOWN_FEATURES = 4
WITH_TRUTH = "With ground truth"
DAY = Column(name="day", label="Day", kind="day")
CLASS = Column(name="class", label="Class")
VERSION = Column(name="version", label="Version", kind="link")
ID = Column(name="id", label="Id", kind="id", link="lineage")
FLOW_RUN = Column(name="flow_run", label="Prefect", kind="link")


def figures(kind: Kind) -> list[Column]:
    """Return the columns of a panel of figures, whose values are of this kind."""
    value = Column(name="value", label="Value", kind=kind, low="low", high="high")
    return [
        *columns("text", name="Figure"),
        value,
        *columns(kind, low="From", high="To"),
        *columns("text", text="Remark"),
    ]


def estimate_columns(labels: Mapping[str, str], kind: Kind = "ratio") -> list[Column]:
    """Return, for each name with its label, a column of values and two columns with the ends of their intervals."""
    found = []
    for name, label in labels.items():
        low, high = f"{name}_low", f"{name}_high"
        found.append(Column(name=name, label=label, kind=kind, low=low, high=high))
        found += columns(kind, **{low: f"{label}, from", high: f"{label}, to"})
    return found


def metric_columns(names: Iterable[str] = METRICS) -> list[Column]:
    """Return such columns for metrics."""
    return estimate_columns({name: METRIC_LABELS[name] for name in names})


def estimate_cells(*estimates: Estimate | None) -> list[Cell]:
    """Return the cells of estimates for such columns."""
    return [cell for each in estimates for cell in ((each.value, each.low, each.high) if each else (None, None, None))]


def metric_cells(found: Estimates, names: Iterable[str] = METRICS) -> list[Cell]:
    """Return the cells of metrics for such columns."""
    return estimate_cells(*(found.get(name) for name in names))


def class_columns(classes: Sequence[str]) -> list[Column]:
    """Return a column of counts for each class."""
    return columns("integer", **{f"class:{name}": name for name in classes})


def feature_columns(rows: Iterable[Mapping[str, float | str]]) -> dict[str, Column]:
    """Return a column for each feature in any of the rows, by the feature's name.

    The page shows the first `SHOWN_FEATURES`, so that the table fits; the CSV has all.
    """
    found: dict[str, Column] = {}
    for row in rows:
        for name, value in row.items():
            kind: Kind = "text" if isinstance(value, str) else "value"
            column = Column(name=f"feature:{name}", label=name, kind=kind, only_csv=len(found) >= SHOWN_FEATURES)
            found.setdefault(name, column)
    return found


def only_csv(found: Iterable[Column]) -> list[Column]:
    """Return columns that CSV and JSON have and the page leaves out."""
    return [column.model_copy(update={"only_csv": True}) for column in found]


def prediction_link(problem: str, prediction_id: str | None) -> str | None:
    """Return a link to a prediction on the page."""
    query = urlencode({"problem": problem, "id": prediction_id})
    return f"{short_id(prediction_id)}|/tab/predictions?{query}" if prediction_id else None


def correct_one(view: View) -> str:
    """Return how to send a correction: a command with the newest row of the chosen time, if the page knows its api."""
    api = view.backends.feedback
    found = view.store.prediction_search.page(Search(view.selection.problem, *view.bounds), 1).rows
    if not api or not view.takes_forms or not found:
        return "Send one: POST /suggest at the api, with the features and the right class_name."
    row = found[0].row
    body = {**row["features"], "class_name": row["class_name"]}
    command = curl(f"{api.url}/suggest", body, key=view.backends.trusted_only)
    return f"Send the newest row with its right class: `{command}`"


def counted(rows: Iterable[VolumeSum] | Iterable[LabelSum], *attributes: str) -> Counter[Any]:
    """Return the number of predictions, or of those with ground truth, by the attributes of their rows."""
    counts, key = Counter[Any](), attrgetter(*attributes)
    for each in rows:
        counts[key(each)] += each.labels if isinstance(each, LabelSum) else each.predictions
    return counts


def share(part: float, whole: float) -> float | None:
    """Return a part as a share of the whole; None if the whole is 0."""
    return part / whole if whole else None


def percent(part: float, whole: float) -> str:
    """Return a share in words."""
    return percentage_text(part / whole) if whole else "none"

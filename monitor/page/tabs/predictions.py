"""Tab *Predictions*: the newest rows of the prediction log, or the ones with an id, and everything known about them."""

from collections.abc import Iterable, Sequence
from typing import Any

from common.store.monitoring.prediction_search import Search
from common.store.predictions import LoggedPrediction, PredictionRow
from monitor.page.panels import Column, Panel, PanelText, columns
from monitor.page.tabs.cells import CLASS, NO_PREDICTIONS, VERSION
from monitor.page.view import ROLE_NAMES, View

MOST_ROWS = 100


def build(view: View) -> list[Panel]:
    """Return the panel of the tab. A whole id finds its prediction on any day and of any version."""
    wanted = view.selection.id
    found = (_exact(view) if wanted else []) or _latest(view)
    rows = [each.row for each in found]
    features = _feature_columns(rows)
    # The classes with a probability in any of the rows.
    classes = dict.fromkeys(name for row in rows for name in row["probabilities"] or {})
    text = PanelText(
        "predictions",
        "Predictions",
        f"No prediction of these days has an id that begins with {wanted}." if wanted else NO_PREDICTIONS,
        f"The newest {MOST_ROWS} of these days at most; a challenger's answer has the id of the champion's.",
    )
    return [
        text.panel(
            [
                *columns("moment", predicted="Predicted"),
                *columns("text", id="Id", role="Role"),
                VERSION,
                *features.values(),
                CLASS,
                *columns("ratio", confidence="Confidence"),
                *columns("text", outlier="Outlier"),
                *columns("number", outlier_score="Outlier score"),
                *columns("text", truth="Ground truth"),
                *columns("moment", exported="Exported"),
                *columns("link", learnt="Learnt by"),
                *columns("ratio", **{f"probability:{name}": f"P({name})" for name in classes}),
            ],
            (_row(view, each, list(features), list(classes)) for each in found),
        )
    ]


def _exact(view: View) -> list[LoggedPrediction]:
    found = view.store.predictions.get(view.selection.id)
    return [each for each in found if each.row["problem"] == view.selection.problem]


def _latest(view: View) -> list[LoggedPrediction]:
    chosen = view.selection
    return view.store.prediction_search.latest(
        Search(chosen.problem, *view.bounds, tuple(chosen.versions), chosen.id), MOST_ROWS
    )


def _row(view: View, found: LoggedPrediction, features: Sequence[str], classes: Sequence[str]) -> list[Any]:
    row, model_name = found.row, found.row["model_name"]
    probabilities = row["probabilities"] or {}
    outlier = None if row["is_outlier"] is None else "yes" if row["is_outlier"] else "no"
    return [
        *(row["predicted_at"], row["id"], ROLE_NAMES[row["role"]]),
        view.version_link(row["model_version"], model_name),
        *(row["features"].get(name) for name in features),
        *(row["class_name"], row["confidence"], outlier, row["outlier_score"], found.truth),
        *(found.exported_at, view.version_link(found.trained_version, model_name)),
        *(probabilities.get(name) for name in classes),
    ]


def _feature_columns(rows: Iterable[PredictionRow]) -> dict[str, Column]:
    """Return a column for each feature in any of the rows, by the feature's name."""
    found: dict[str, Column] = {}
    for row in rows:
        for name, value in row["features"].items():
            kind = "text" if isinstance(value, str) else "number"
            found.setdefault(name, Column(name=f"feature:{name}", label=name, kind=kind))
    return found

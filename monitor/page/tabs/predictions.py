"""Tab *Predictions*: the newest rows of the prediction log, or the ones with an id, and everything known about them."""

from common.store.monitoring.prediction_search import Search
from common.store.predictions import LoggedPrediction
from monitor.page.lineage_picture import linked
from monitor.page.panels import Panel, PanelTable, PanelText, columns
from monitor.page.tabs.cells import CLASS, NO_PREDICTIONS, VERSION, feature_columns
from monitor.page.view import ROLE_NAMES, View

MOST_ROWS = 100
OUTLIER = {None: None, True: "yes", False: "no"}


def build(view: View) -> list[Panel]:
    """Return the panel of the tab. A whole id finds its prediction on any day and of any version."""
    wanted = view.selection.id
    found = (_exact(view) if wanted else []) or _latest(view)
    rows = [each.row for each in found]
    features = feature_columns(row["features"] for row in rows)
    # The classes with a probability in any of the rows.
    classes = dict.fromkeys(name for row in rows for name in row["probabilities"] or {})
    probabilities = columns("ratio", **{f"probability:{name}": f"P({name})" for name in classes})

    def learnt(each: LoggedPrediction) -> str | None:
        return view.version_link(each.trained_version, each.row["model_name"])

    text = PanelText(
        "predictions",
        "Predictions",
        f"No prediction of these days has an id that begins with {wanted}." if wanted else NO_PREDICTIONS,
        f"The newest {MOST_ROWS} of these days at most; a challenger's answer has the id of the champion's.",
    )
    return [
        PanelTable(text, found)
        .add("moment", "predicted", "Predicted", lambda each: each.row["predicted_at"])
        .add("text", "id", "Id", lambda each: each.row["id"])
        .add("text", "role", "Role", lambda each: ROLE_NAMES[each.row["role"]])
        .column(VERSION, lambda each: view.version_link(each.row["model_version"], each.row["model_name"]))
        .columns(features.values(), lambda each: [each.row["features"].get(name) for name in features])
        .column(CLASS, lambda each: each.row["class_name"])
        .add("ratio", "confidence", "Confidence", lambda each: each.row["confidence"])
        .add("text", "outlier", "Outlier", lambda each: OUTLIER[each.row["is_outlier"]])
        .add("number", "outlier_score", "Outlier score", lambda each: each.row["outlier_score"])
        .add("text", "truth", "Ground truth", lambda each: each.truth)
        .add("moment", "exported", "Exported", lambda each: each.exported_at)
        .add("link", "learnt", "Learnt by", learnt)
        .add("link", "lineage", "Lineage", lambda each: linked("prediction", each.row["problem"], each.row["id"]))
        .columns(probabilities, lambda each: [(each.row["probabilities"] or {}).get(name) for name in classes])
        .panel()
    ]


def _exact(view: View) -> list[LoggedPrediction]:
    found = view.store.predictions.get(view.selection.id)
    return [each for each in found if each.row["problem"] == view.selection.problem]


def _latest(view: View) -> list[LoggedPrediction]:
    chosen = view.selection
    return view.store.prediction_search.latest(
        Search(chosen.problem, *view.bounds, tuple(chosen.versions), chosen.id), MOST_ROWS
    )

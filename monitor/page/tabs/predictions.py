"""Tab *Predictions*: a page of the prediction log, the newest first, or the rows with an id."""

from collections.abc import Sequence

from common.store.monitoring.prediction_search import MOST_LOOKED_AT, FoundPage, Search
from common.store.predictions import LoggedPrediction
from monitor.page.findings import Level
from monitor.page.formatting import formatted
from monitor.page.lineage_picture import linked
from monitor.page.panels import Panel, PanelTable, PanelText, columns
from monitor.page.table_parts import Pages
from monitor.page.tabs.cells import ID, NO_PREDICTIONS, VERSION, feature_columns, only_csv
from monitor.page.view import ROLE_NAMES, View
from monitor.statistics.digits import count_text

PAGE_ROWS = 50
OUTLIER = {None: None, True: "yes", False: "no"}
NONE_BEGINS = (
    "No prediction of the chosen time has an id that begins with {}. GET /predictions/{{id}} at the api finds any."
)
NONE_MATCHES = "No prediction of the chosen time matches the filter. Choose a longer time, or take the filter away."
NONE_SEEN = (
    f"None of the {count_text(MOST_LOOKED_AT)} predictions that this page has looked at matches the filter. Older ones "
    "may: the link below looks further back."
)


def build(view: View) -> list[Panel]:
    """Return the panel of the tab. A whole id finds its prediction at any time and of any version."""
    whole = _whole(view) if view.selection.id else []
    found = FoundPage(whole) if whole else _searched(view)
    rows = [each.row for each in found.rows]
    features = feature_columns(row["features"] for row in rows)
    # The classes with a probability in any of the rows.
    classes = dict.fromkeys(name for row in rows for name in row["probabilities"] or {})
    probabilities = columns("ratio", **{f"probability:{name}": f"P({name})" for name in classes})

    def learnt(each: LoggedPrediction) -> str | None:
        return view.version_link(each.trained_version, each.row["model_name"])

    panel = (
        PanelTable(PanelText("predictions", "Predictions", _empty(view, found), _note(found)), found.rows)
        .add("text", "class", "Answer", lambda each: each.row["class_name"])
        .add("text", "truth", "Ground truth", lambda each: each.truth)
        .add("ratio", "confidence", "Confidence", lambda each: each.row["confidence"])
        .add("text", "outlier", "Outlier", lambda each: OUTLIER[each.row["is_outlier"]])
        .columns(features.values(), lambda each: [each.row["features"].get(name) for name in features])
        .add("text", "role", "Role", lambda each: ROLE_NAMES[each.row["role"]])
        .column(VERSION, lambda each: view.version_link(each.row["model_version"], each.row["model_name"]))
        .add("moment", "predicted", "Answered", lambda each: each.row["predicted_at"])
        .column(ID, lambda each: each.row["id"])
        .columns(
            only_csv(columns("link", lineage="Lineage")),
            lambda each: [linked("prediction", each.row["problem"], each.row["id"])],
        )
        .columns(only_csv(columns("number", outlier_score="Outlier score")), lambda each: [each.row["outlier_score"]])
        .columns(only_csv(columns("moment", exported="Exported")), lambda each: [each.exported_at])
        .columns(only_csv(columns("link", learnt="Learnt by")), lambda each: [learnt(each)])
        .columns(
            only_csv(probabilities), lambda each: [(each.row["probabilities"] or {}).get(name) for name in classes]
        )
        .panel()
    )
    panel.levels = [_level(each) for each in found.rows]
    panel.pages = _pages(view, found)
    return [panel]


def _level(found: LoggedPrediction) -> Level:
    """Return whether the answer is right, wrong, or nobody knows."""
    return "unknown" if found.truth is None else "good" if found.truth == found.row["class_name"] else "bad"


def _whole(view: View) -> list[LoggedPrediction]:
    found = view.store.predictions.get(view.selection.id)
    return [each for each in found if each.row["problem"] == view.selection.problem]


def _searched(view: View) -> FoundPage:
    chosen, narrowed = view.selection, view.selection.filter
    search = Search(
        chosen.problem,
        *view.bounds,
        tuple(chosen.versions),
        chosen.id,
        narrowed.only,
        narrowed.of_class,
        None if narrowed.below is None else narrowed.below / 100,
        narrowed.position,
    )
    return view.store.prediction_search.page(search, PAGE_ROWS)


def _empty(view: View, found: FoundPage) -> str:
    if found.is_cut:
        return NONE_SEEN
    if view.selection.filter.is_narrow or view.selection.filter.after:
        return NONE_MATCHES
    if view.selection.id:
        return f"No prediction of the chosen time has an id that begins with {view.selection.id}. Choose a longer time."
    return NO_PREDICTIONS


def _note(found: FoundPage) -> str:
    return (
        f"{PAGE_ROWS} a page, the newest first. A challenger answers the same row under the same id. The CSV file has "
        "more columns: all features, the probabilities, the outlier score, and the version that learnt from the row."
        if found.rows
        else ""
    )


def _pages(view: View, found: FoundPage) -> Pages | None:
    is_first = not view.selection.filter.after
    if is_first and found.after is None:
        return None
    return Pages(words=_words(found.rows, found), is_first=is_first, after=found.after.as_text() if found.after else "")


def _words(rows: Sequence[LoggedPrediction], found: FoundPage) -> str:
    if not rows:
        return f"{count_text(MOST_LOOKED_AT)} rows looked at" if found.is_cut else "no rows"
    last, first = (formatted(rows[place].row["predicted_at"].isoformat(), "moment") for place in (0, -1))
    looked = f", of {count_text(MOST_LOOKED_AT)} rows looked at" if found.is_cut else ""
    return f"{len(rows)} rows{looked}, {last} back to {first} (UTC)"

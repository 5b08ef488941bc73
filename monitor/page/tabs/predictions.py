"""Tab *Predictions*: the newest rows of the log, or one that is looked for, with all that is known of them."""

from collections.abc import Iterable, Sequence

from common.store.monitoring.prediction_search import Search
from common.store.predictions import LoggedPrediction, PredictionRow
from monitor.page.panels import Cell, Column, Panel, Query
from monitor.page.source import Source
from monitor.page.tabs.parts import NO_PREDICTIONS, moment, version_link
from monitor.page.tabs.scope import PLACES, bounds_of

MOST_ROWS = 100


def build(source: Source, query: Query) -> list[Panel]:
    """Return its panel. Whoever gives a whole id finds the prediction, whenever it was and whatever has answered."""
    found = (_exactly(source, query) if query.id else []) or _latest(source, query)
    rows = [each.row for each in found]
    features, probabilities = _features(rows), _probabilities(rows)
    before = [
        Column(name="predicted", label="Predicted", kind="moment"),
        Column(name="id", label="Id"),
        Column(name="role", label="Place"),
        Column(name="version", label="Version", kind="link"),
    ]
    after = [
        Column(name="class", label="Class"),
        Column(name="confidence", label="Confidence", kind="ratio"),
        Column(name="outlier", label="Outlier"),
        Column(name="outlier_score", label="Outlier score", kind="number"),
        Column(name="truth", label="Truth"),
        Column(name="exported", label="Exported", kind="moment"),
        Column(name="learnt", label="Learnt by", kind="link"),
    ]
    return [
        Panel(
            id="predictions",
            title="Predictions",
            note=f"The newest {MOST_ROWS} of these days at most; a challenger's answer has the id of the champion's.",
            drawing="table",
            columns=[*before, *features.values(), *after, *probabilities.values()],
            rows=[_row(source, each, list(features), list(probabilities)) for each in found],
            empty=f"No prediction of these days has an id that begins with {query.id}." if query.id else NO_PREDICTIONS,
        )
    ]


def _exactly(source: Source, query: Query) -> list[LoggedPrediction]:
    return [each for each in source.store.predictions.get(query.id) if each.row["problem"] == query.problem]


def _latest(source: Source, query: Query) -> list[LoggedPrediction]:
    search = Search(query.problem, *bounds_of(query), tuple(query.versions), query.id)
    return source.store.prediction_search.latest(search, MOST_ROWS)


def _row(source: Source, found: LoggedPrediction, features: Sequence[str], classes: Sequence[str]) -> list[Cell]:
    row, model_name = found.row, found.row["model_name"]
    probabilities = row["probabilities"] or {}
    outlier = None if row["is_outlier"] is None else "yes" if row["is_outlier"] else "no"
    return [
        *(moment(row["predicted_at"]), row["id"], PLACES[row["role"]]),
        version_link(source, model_name, row["model_version"]),
        *(row["features"].get(name) for name in features),
        *(row["class_name"], row["confidence"], outlier, row["outlier_score"], found.truth),
        *(moment(found.exported_at), version_link(source, model_name, found.trained_version)),
        *(probabilities.get(name) for name in classes),
    ]


def _features(rows: Iterable[PredictionRow]) -> dict[str, Column]:
    """Return a column for each feature that any of the rows has, by its name."""
    columns: dict[str, Column] = {}
    for row in rows:
        for name, value in row["features"].items():
            kind = Column(name=f"feature:{name}", label=name, kind="text" if isinstance(value, str) else "number")
            columns.setdefault(name, kind)
    return columns


def _probabilities(rows: Iterable[PredictionRow]) -> dict[str, Column]:
    """Return a column for the probability of each class that any of the rows tells, by its name."""
    names = dict.fromkeys(name for row in rows for name in row["probabilities"] or {})
    return {name: Column(name=f"probability:{name}", label=f"P({name})", kind="ratio") for name in names}

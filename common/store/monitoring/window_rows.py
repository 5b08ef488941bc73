"""The rows of a window, read from the prediction log page by page."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypedDict

import sqlalchemy as sa
from pydantic_core import from_json

from common.store.database import StorePart
from common.store.tables import UtcDateTime, feedback, predictions

PAGE_ROWS = 1_000

Cells = dict[tuple[str, str], int]  # counts by true and predicted class


class WindowRow(TypedDict):
    """The part of a logged prediction that a window evaluates; a `PredictionRow` is one, too."""

    model_name: str
    model_version: int
    features: Mapping[str, float | str]
    class_name: str
    confidence: float | None
    is_outlier: bool | None


class WindowRows(StorePart):
    """The champion's predictions. Only one page of them is in memory at a time."""

    def between(self, problem: str, since: datetime, until: datetime, limit: int) -> Iterator[WindowRow]:
        """Yield the predictions from `since` to before `until`, newest first, at most `limit`."""
        c = predictions.c
        span = c.problem == problem, c.role == "champion", c.predicted_at >= since
        query = _wanted().where(*span).order_by(c.predicted_at.desc(), c.id.desc())
        before: sa.ColumnElement[bool] = c.predicted_at < until
        for start in range(0, limit, PAGE_ROWS):
            page = self._database.read(query.where(before).limit(min(PAGE_ROWS, limit - start)))
            yield from _rows(page)
            if len(page) < PAGE_ROWS:
                return
            before = _before(page[-1])

    def labels(self, problem: str, version: int, since: datetime, until: datetime) -> Cells:
        """Return a version's labels as champion from `since` to before `until`, by true and predicted class."""
        p, f = predictions.c, feedback.c
        span = p.problem == problem, p.role == "champion", p.predicted_at >= since, p.predicted_at < until
        columns = f.class_name.label("true_class"), p.class_name.label("predicted_class")
        query = sa.select(*columns, sa.func.count().label("labels")).where(*span, p.model_version == version)
        found = self._database.read(query.join(feedback, f.prediction_id == p.id).group_by(*columns))
        return {(row["true_class"], row["predicted_class"]): row["labels"] for row in found}


def _wanted() -> sa.Select[tuple[str, datetime, str]]:
    c = predictions.c
    others = (c.model_name, c.model_version, c.class_name, c.confidence, c.is_outlier)
    return sa.select(c.id, c.predicted_at, sa.cast(c.features, sa.Text).label("features"), *others)


def _before(row: sa.RowMapping) -> sa.ColumnElement[bool]:
    # The rows of a batch have the same time: the id decides.
    c = predictions.c
    last = sa.tuple_(sa.literal(row["predicted_at"], UtcDateTime), sa.literal(row["id"]))
    return sa.and_(c.predicted_at <= row["predicted_at"], sa.tuple_(c.predicted_at, c.id) < last)


def _rows(page: Sequence[sa.RowMapping]) -> Iterator[WindowRow]:
    # Parsed together, the rows share the names of the features, which would take more memory than the values.
    features = from_json(f"[{','.join(row['features'] for row in page)}]", cache_strings="keys")
    for row, each in zip(page, features, strict=True):
        yield {
            "model_name": row["model_name"],
            "model_version": row["model_version"],
            "features": each,
            "class_name": row["class_name"],
            "confidence": row["confidence"],
            "is_outlier": row["is_outlier"],
        }

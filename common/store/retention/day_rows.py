"""The rows of a day with their ground truths, and the days that were exported before their rows were deleted."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TypedDict, cast

import sqlalchemy as sa

from common.store.database import Database, StorePart
from common.store.retention.missing_rows import MissingCounts, exported_days
from common.store.tables import UtcDateTime, feedback, predictions

CHUNK_ROWS = 5_000
DAY = timedelta(days=1)


class DayRow(TypedDict):
    """A row of the log with its ground truth; `features` and `probabilities` are JSON, as the log has them.

    The fields are those of `PredictionRow`, and the ground truth, when it came, and whether it came with the key; None
    without one.
    """

    id: str
    role: str
    problem: str
    model_name: str
    model_version: int
    predicted_at: datetime
    features: str
    class_name: str
    probabilities: str | None
    confidence: float | None
    is_outlier: bool | None
    outlier_score: float | None
    ground_truth: str | None
    ground_truth_at: datetime | None
    trusted: bool | None


class DayRows(StorePart):
    """The log by days, in UTC."""

    def __init__(self, database: Database, missing: MissingCounts) -> None:
        """Use `database`; `missing` has the table of the exported days."""
        super().__init__(database)
        self._missing = missing

    def chunks(self, problem: str, day: date, *, with_truth: bool = False) -> Iterator[list[DayRow]]:
        """Yield the rows of a problem's day in the order of time, all roles; with `with_truth` only those with one."""
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
        after: tuple[datetime, str, str] = (begin, "", "")
        while True:
            page = self._database.read(_page(problem, after, begin + DAY, with_truth=with_truth))
            if page:
                yield [cast("DayRow", dict(row)) for row in page]
                after = page[-1]["predicted_at"], page[-1]["id"], page[-1]["role"]
            if len(page) < CHUNK_ROWS:
                return

    def exported(self, problem: str, part: str) -> set[date]:
        """Return the days whose rows a file has."""
        self._missing.prepare()
        c = exported_days.c
        return {row["day"] for row in self._database.read(sa.select(c.day).where(c.problem == problem, c.part == part))}

    def note_exported(self, problem: str, day: date, part: str, rows: int) -> None:
        """Note, durably, that a file has the rows of a day."""
        self._missing.prepare()
        key = {"problem": problem, "day": day, "part": part}
        with self._database.writing() as connection:
            connection.execute(exported_days.delete().where(*(exported_days.c[name] == key[name] for name in key)))
            connection.execute(exported_days.insert().values(**key, rows=rows, finished_at=datetime.now(UTC)))


def _page(
    problem: str, after: tuple[datetime, str, str], until: datetime, *, with_truth: bool
) -> sa.Select[tuple[object, ...]]:
    c, f = predictions.c, feedback.c
    texts = [sa.cast(c[name], sa.Text).label(name) for name in ("features", "probabilities")]
    plain = [c[name] for name in DayRow.__annotations__ if name in c and name not in {"features", "probabilities"}]
    truth = f.class_name.label("ground_truth"), f.received_at.label("ground_truth_at"), f.trusted
    here = sa.tuple_(sa.literal(after[0], UtcDateTime), sa.literal(after[1]), sa.literal(after[2]))
    place = c.predicted_at, c.id, c.role
    span = c.problem == problem, c.predicted_at >= after[0], c.predicted_at < until, sa.tuple_(*place) > here
    joined = sa.join(predictions, feedback, f.prediction_id == c.id, isouter=not with_truth)
    return sa.select(*plain, *texts, *truth).select_from(joined).where(*span).order_by(*place).limit(CHUNK_ROWS)

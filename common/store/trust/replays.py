"""The log in chunks, to ask another version the same rows, and the replays that the page starts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

import sqlalchemy as sa
from pydantic_core import from_json

from common.store.database import StorePart, records
from common.store.tables import UtcDateTime, feedback, predictions
from common.store.trust.tables import replays

CHUNK_ROWS = 5_000
IDS_AT_ONCE = 500
KEPT = 20  # replays of a problem; the next one deletes older ones


class ReplayBusyError(RuntimeError):
    """A replay is still open, and only one runs at a time."""


class LoggedAnswer(NamedTuple):
    """A row of the log as the champion answered it, with its ground truth; None until somebody has sent it."""

    id: str
    predicted_at: datetime
    features: Mapping[str, float | str]
    version: int
    class_name: str
    confidence: float | None
    truth: str | None


@dataclass(frozen=True)
class ReplaySpan:
    """The champion's rows of a problem from `since` to before `until`."""

    problem: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class ReplayRequest:
    """A replay that the page has started.

    Attributes:
        id: of the replay.
        problem: the problem whose log is replayed.
        version: the number of the version that answers again.
        since: the first moment of the rows.
        until: the first moment after the rows.
        requested_at: when somebody asked for it.
        started_at: when a process began with it; None before.
        finished_at: when it ended; None as long as it is open.
        done: the number of rows so far.
        summary: the result; None before the end, and after a failure.
        error: the reason of a failure, in words.
    """

    id: str
    problem: str
    version: int
    since: datetime
    until: datetime
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    done: int
    summary: dict[str, Any] | None
    error: str | None

    @property
    def span(self) -> ReplaySpan:
        """The rows that it is about."""
        return ReplaySpan(self.problem, self.since, self.until)


class Replays(StorePart):
    """Replays of the log. Only one chunk of the log is in memory at a time."""

    def count(self, span: ReplaySpan, most: int | None = None) -> int:
        """Return the number of rows of a span; counting ends at `most`."""
        c = predictions.c
        times = c.predicted_at >= span.since, c.predicted_at < span.until
        found = sa.select(c.id).where(c.problem == span.problem, c.role == "champion", *times).limit(most).subquery()
        return int(self._database.read(sa.select(sa.func.count().label("rows")).select_from(found))[0]["rows"])

    def chunks(
        self, span: ReplaySpan, most: int | None = None, *, newest_first: bool = False, trusted_only: bool = False
    ) -> Iterator[list[LoggedAnswer]]:
        """Yield the rows of a span in the order of time, in chunks.

        Args:
            span: the rows.
            most: how many rows at most; None for all.
            newest_first: whether the order is the opposite, so that `most` cuts off the oldest rows.
            trusted_only: whether only ground truths count that came with the key.
        """
        c = predictions.c
        order = (c.predicted_at.desc(), c.id.desc()) if newest_first else (c.predicted_at, c.id)
        log = c.problem == span.problem, c.role == "champion"
        ends = [c.predicted_at < span.until, c.predicted_at >= span.since]
        begin, end = ends if newest_first else ends[::-1]
        query = _answers(trusted_only=trusted_only).where(*log, end).order_by(*order)
        left = most
        while left is None or left > 0:
            size = CHUNK_ROWS if left is None else min(CHUNK_ROWS, left)
            page = self._database.read(query.where(begin).limit(size))
            if page:
                yield _logged(page)
            if len(page) < size:
                return
            # In place of the first limit: an index looks only one of them up.
            begin = _beyond(page[-1], newest_first=newest_first)
            left = None if left is None else left - size

    def answers(self, ids: Sequence[str], *, trusted_only: bool = False) -> dict[str, LoggedAnswer]:
        """Return the champion's rows with these ids, by id; an erased row is missing."""
        c = predictions.c
        found: dict[str, LoggedAnswer] = {}
        for start in range(0, len(ids), IDS_AT_ONCE):
            some = c.id.in_(ids[start : start + IDS_AT_ONCE])
            page = self._database.read(_answers(trusted_only=trusted_only).where(some, c.role == "champion"))
            found |= {each.id: each for each in _logged(page)}
        return found

    def request(self, version: int, span: ReplaySpan) -> str:
        """Ask for a replay; return its id.

        Raises:
            ReplayBusyError: another one is open, of whichever problem.
        """
        new = str(uuid4())
        c = replays.c
        with self._database.writing() as connection:
            if connection.execute(sa.select(c.id).where(c.finished_at.is_(None)).limit(1)).first():
                raise ReplayBusyError("another replay is still running; only one runs at a time")
            own = sa.select(c.id).where(c.problem == span.problem).order_by(c.requested_at.desc(), c.id)
            old = connection.execute(own).scalars().all()[KEPT - 1 :]
            connection.execute(replays.delete().where(c.id.in_(old)))
            values = {"id": new, "version": version, "requested_at": datetime.now(UTC), "done": 0, **vars(span)}
            connection.execute(replays.insert().values(values))
        return new

    def open(self) -> ReplayRequest | None:
        """Return the replay that is to be run, or runs; None without one."""
        return self._first(replays.c.finished_at.is_(None))

    def newest(self, problem: str) -> ReplayRequest | None:
        """Return the newest replay of a problem; None without one."""
        return self._first(replays.c.problem == problem)

    def get(self, replay_id: str) -> ReplayRequest | None:
        """Return a replay by its id; None if there is none."""
        return self._first(replays.c.id == replay_id)

    def start(self, replay_id: str) -> None:
        """Note that a process begins with an open replay, from its first row."""
        self._update(replay_id, {"started_at": datetime.now(UTC), "done": 0})

    def progress(self, replay_id: str, done: int) -> None:
        """Note how many rows an open replay has done."""
        self._update(replay_id, {"done": done})

    def finish(self, replay_id: str, summary: Mapping[str, Any], done: int) -> None:
        """Note the result of an open replay."""
        self._update(replay_id, {"finished_at": datetime.now(UTC), "summary": dict(summary), "done": done})

    def fail(self, replay_id: str, error: str) -> None:
        """Note why an open replay has no result."""
        self._update(replay_id, {"finished_at": datetime.now(UTC), "error": error})

    def _update(self, replay_id: str, values: Mapping[str, Any]) -> None:
        # A replay that has ended stays as it is, also if two processes ran it.
        this = replays.c.id == replay_id, replays.c.finished_at.is_(None)
        with self._database.writing(durable="finished_at" in values) as connection:
            connection.execute(replays.update().where(*this).values(values))

    def _first(self, condition: sa.ColumnElement[bool]) -> ReplayRequest | None:
        query = sa.select(replays).where(condition).order_by(replays.c.requested_at.desc(), replays.c.id).limit(1)
        return next(iter(records(ReplayRequest, self._database.read(query))), None)


def _answers(*, trusted_only: bool) -> sa.Select[Any]:
    c, f = predictions.c, feedback.c
    matches = sa.and_(f.prediction_id == c.id, f.trusted) if trusted_only else f.prediction_id == c.id
    features = sa.cast(c.features, sa.Text).label("features")
    answer = c.id, c.predicted_at, features, c.model_version, c.class_name, c.confidence
    return sa.select(*answer, f.class_name.label("truth")).select_from(sa.outerjoin(predictions, feedback, matches))


def _beyond(row: sa.RowMapping, *, newest_first: bool) -> sa.ColumnElement[bool]:
    # The rows of a batch have the same time: the id decides. The first condition is the one that an index finds.
    c = predictions.c
    here = sa.tuple_(c.predicted_at, c.id)
    last = sa.tuple_(sa.literal(row["predicted_at"], UtcDateTime), sa.literal(row["id"]))
    if newest_first:
        return sa.and_(c.predicted_at <= row["predicted_at"], here < last)
    return sa.and_(c.predicted_at >= row["predicted_at"], here > last)


def _logged(page: Sequence[sa.RowMapping]) -> list[LoggedAnswer]:
    # Parsed together, the rows share the names of the features.
    features = from_json(f"[{','.join(row['features'] for row in page)}]", cache_strings="keys")
    return [
        LoggedAnswer(
            row["id"],
            row["predicted_at"],
            each,
            row["model_version"],
            row["class_name"],
            row["confidence"],
            row["truth"],
        )
        for row, each in zip(page, features, strict=True)
    ]

"""Suggestions, which people call corrections: rows with their ground truth, on their way into a new version.

A suggestion is received, delivered to Prefect, written to finetune.csv, and at last learnt by a version or refused. If
a version that learnt it is rolled back, it is quarantined. If somebody takes it back, it is withdrawn.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

import sqlalchemy as sa

from common.store.database import Database, records
from common.store.delivery import RetryQueue
from common.store.tables import suggestions

State = Literal["received", "delivered", "waiting", "trained", "refused", "quarantined", "withdrawn"]
STATES: tuple[State, ...] = get_args(State)
# A suggestion is in the first of these states whose column is set; it is "received" if none is.
STATE_COLUMNS: Mapping[State, str] = {
    "withdrawn": "withdrawn_because",
    "quarantined": "quarantined_because",
    "refused": "refused_because",
    "trained": "trained_version",
    "waiting": "written",
    "delivered": "flow_run_id",
}
TRAIN_AT = 5  # waiting suggestions that make a new version
# The values that a new suggestion may have. It has a flow run if somebody started one in Prefect itself.
SENT = ("id", "problem", "features", "class_name", "prediction_id", "flow_run_id", "source", "trusted")
MAX_PAUSE = timedelta(seconds=30)  # between two attempts to deliver a suggestion
# No version is to learn the others.
LEARNABLE = sa.and_(*(suggestions.c[f"{name}_because"].is_(None) for name in ("refused", "quarantined", "withdrawn")))


@dataclass(frozen=True)
class Suggestion:
    """A row with its ground truth, as somebody sent it. `features` are by name."""

    id: str
    problem: str
    features: Mapping[str, float | str]
    class_name: str
    prediction_id: str | None = None
    flow_run_id: str | None = None
    attempts: int = 0
    last_error: str | None = None
    row_number: int | None = None
    written: bool = False
    trained_version: int | None = None
    refused_because: str | None = None
    quarantined_because: str | None = None
    withdrawn_because: str | None = None
    judgement_id: str | None = None
    source: str | None = None
    trusted: bool = False
    received_at: datetime | None = field(default=None, compare=False)

    @property
    def state(self) -> State:
        """How far the suggestion has come."""
        values = {state: getattr(self, column) for state, column in STATE_COLUMNS.items()}
        return next((state for state, value in values.items() if value is not None and value is not False), "received")


# Takes note of suggestions that come into a state, and the value that says so, in the transaction of the change.
Note = Callable[[sa.Connection, Sequence[str], State, Any], None]
# Returns what else there is to say about a suggestion, as the end of a sentence: with figures, or for people without
# the key. An empty text if there is nothing.
TellMore = Callable[[Suggestion, bool], str]


class Suggestions(RetryQueue):
    """The suggestions of all problems. One is delivered to Prefect when it has the flow run that was started for it.

    Attributes:
        note: takes note of each change of a state.
        tell_more: has more to say about a state.
    """

    def __init__(self, database: Database) -> None:
        """Use `database`."""
        super().__init__(database, suggestions, "flow_run_id", MAX_PAUSE)
        self.note: Note = _keep_no_history
        self.tell_more: TellMore = lambda *_: ""

    def add(self, suggestion: Suggestion) -> None:
        """Insert a suggestion, durably; one that is there already stays as it is."""
        with self._database.writing() as connection:
            self.insert(connection, suggestion)

    def insert(self, connection: sa.Connection, suggestion: Suggestion) -> None:
        """Do the work of `add` in a transaction."""
        known = sa.select(suggestions.c.id).where(suggestions.c.id == suggestion.id)
        if connection.execute(known).first() is None:
            now = datetime.now(UTC)
            sent = {name: getattr(suggestion, name) for name in SENT}
            connection.execute(suggestions.insert().values(sent | {"received_at": now, "next_attempt_at": now}))
            self.note(connection, [suggestion.id], "received", suggestion.source)

    def get(self, suggestion_id: str) -> Suggestion | None:
        """Return a suggestion; None for an unknown id."""
        return next(iter(self._read(suggestions.c.id == suggestion_id)), None)

    # Delivery to Prefect.

    def due(self, problem: str, now: datetime, limit: int) -> list[Suggestion]:
        """Return suggestions that have no flow run yet and whose next attempt is due, oldest first."""
        return self.without_row(problem, limit, self.is_due(now))

    def join(self, problem: str, flow_run_id: str) -> None:
        """Give a flow run to all suggestions that have no row in finetune.csv yet: the run will take them in.

        If all suggestions of the run have rows, nothing changes: the run may have looked for the last time.
        """
        c, without_row = suggestions.c, _has_no_row(problem)
        with self._database.writing() as connection:
            one_of_the_run = sa.select(c.id).where(*without_row, c.flow_run_id == flow_run_id).limit(1)
            if connection.execute(one_of_the_run).first():
                joined = suggestions.update().values(flow_run_id=flow_run_id, last_error=None)
                connection.execute(joined.where(*without_row))

    def handed_over(self, problem: str, limit: int) -> list[Suggestion]:
        """Return delivered suggestions that have no row in finetune.csv yet, oldest first."""
        return self.without_row(problem, limit, suggestions.c.flow_run_id.is_not(None))

    def run_lost(self, run_id: str, other_run_id: str | None, error: str | None = None) -> None:
        """Give another flow run to the unfinished suggestions of a lost one, or write why none was started yet."""
        c = suggestions.c
        unfinished = c.flow_run_id == run_id, c.trained_version.is_(None), LEARNABLE
        self._write(*unfinished, flow_run_id=other_run_id or run_id, last_error=error)

    # Rows in finetune.csv.

    def without_row(self, problem: str, limit: int, *conditions: sa.ColumnElement[bool]) -> list[Suggestion]:
        """Return suggestions that have no row in finetune.csv yet, delivered or not, oldest first."""
        order = suggestions.c.received_at, suggestions.c.id
        return self._read(*_has_no_row(problem), *conditions, order=order, limit=limit)

    def reserve_row(self, *reserved: Suggestion) -> None:
        """Write the `row_number` in finetune.csv that each suggestion is about to get; for all or none.

        `flow_run_id` is the run that writes the row, if there is one.
        """
        c = suggestions.c
        with self._database.writing() as connection:
            for each in reserved:
                run = sa.func.coalesce(each.flow_run_id, c.flow_run_id)
                values = {"row_number": each.row_number, "flow_run_id": run, "last_error": None}
                connection.execute(suggestions.update().where(c.id == each.id).values(values))

    def row_written(self, *suggestion_ids: str) -> None:
        """Write that the reserved rows are in the file."""
        self._update(*suggestion_ids, written=True)

    def unfinished_rows(self, problem: str) -> list[Suggestion]:
        """Return suggestions with a reserved row that may or may not be in the file, by row."""
        return self._rows(problem, suggestions.c.written.is_(False))

    def rows_of_refused(self, problem: str) -> list[Suggestion]:
        """Return refused and quarantined suggestions that are still in finetune.csv, by row."""
        return self._rows(problem, suggestions.c.written, ~LEARNABLE)

    def rows_to_keep(self, problem: str) -> list[Suggestion]:
        """Return the suggestions in finetune.csv that are neither refused nor quarantined, by row."""
        return self._rows(problem, suggestions.c.written, LEARNABLE)

    def rows_removed(self, suggestion_ids: list[str]) -> None:
        """Write that these suggestions are no longer in finetune.csv."""
        self._update(*suggestion_ids, row_number=None, written=False)

    # Training.

    def waiting(self, problem: str) -> list[Suggestion]:
        """Return the suggestions in finetune.csv that are neither learnt nor refused nor quarantined, by row."""
        return self._rows(problem, suggestions.c.written, suggestions.c.trained_version.is_(None), LEARNABLE)

    def unjudged(self, problem: str) -> list[Suggestion]:
        """Return the waiting suggestions that no judgement names: TRAIN_AT of them make a new training."""
        return [each for each in self.waiting(problem) if each.judgement_id is None]

    def judged(self, suggestion_ids: list[str], judgement_id: str) -> None:
        """Write the newest judgement of candidates that had learnt these suggestions."""
        self._update(*suggestion_ids, judgement_id=judgement_id)

    def trained(self, suggestion_ids: list[str], version: int, judgement_id: str | None = None) -> None:
        """Write the version that learnt these suggestions, and the judgement that led to it, if there is one."""
        judged = {} if judgement_id is None else {"judgement_id": judgement_id}
        self._update(*suggestion_ids, trained_version=version, **judged)

    def refused(self, suggestion_ids: list[str], reason: str, judgement_id: str | None = None) -> None:
        """Write why no version learnt these suggestions, and the judgement on their candidates, if there is one."""
        judged = {} if judgement_id is None else {"judgement_id": judgement_id}
        self._update(*suggestion_ids, refused_because=reason, **judged)

    def quarantine(self, suggestion_ids: list[str], reason: str) -> None:
        """Write why no version is to learn these suggestions again."""
        self._update(*suggestion_ids, quarantined_because=reason)

    def has_learnt(self, problem: str, version: int) -> bool:
        """Return whether a version learnt any suggestion."""
        c = suggestions.c
        query = sa.select(c.id).where(c.problem == problem, c.trained_version == version)
        return bool(self._database.read(query.limit(1)))

    def taken_back(self, problem: str, champion: int, since: datetime) -> list[Suggestion]:
        """Return the suggestions that came after `since` and that a version newer than the champion learnt."""
        c = suggestions.c
        return self._read(c.problem == problem, c.trained_version > champion, c.received_at > since, LEARNABLE)

    def _rows(self, problem: str, *conditions: sa.ColumnElement[bool]) -> list[Suggestion]:
        c = suggestions.c
        return self._read(c.problem == problem, c.row_number.is_not(None), *conditions, order=[c.row_number])

    def _read(
        self, *conditions: sa.ColumnElement[bool], order: Sequence[sa.Column[Any]] = (), limit: int | None = None
    ) -> list[Suggestion]:
        query = sa.select(suggestions).where(*conditions).order_by(*order).limit(limit)
        return records(Suggestion, self._database.read(query))

    def _update(self, *suggestion_ids: str, **values: Any) -> None:
        self._write(suggestions.c.id.in_(suggestion_ids), **values)

    def _write(self, *conditions: sa.ColumnElement[bool], **values: Any) -> None:
        with self._database.writing() as connection:
            self.change(connection, *conditions, **values)

    def change(self, connection: sa.Connection, *conditions: sa.ColumnElement[bool], **values: Any) -> None:
        """Give these values to the suggestions that meet the conditions, in a transaction, and note a new state."""
        changed = suggestions.update().where(*conditions).values(values).returning(suggestions.c.id)
        ids = connection.execute(changed).scalars().all()
        if state := next(
            (state for state, name in STATE_COLUMNS.items() if values.get(name) not in {None, False}), None
        ):
            self.note(connection, ids, state, values[STATE_COLUMNS[state]])


def _keep_no_history(*_: object) -> None:
    """Forget a change of a state."""


def _has_no_row(problem: str) -> tuple[sa.ColumnElement[bool], ...]:
    c = suggestions.c
    return c.problem == problem, c.row_number.is_(None), LEARNABLE

"""Corrections that somebody took back: which, why, and what came of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from common.store.database import StorePart, records
from common.store.suggestions import LEARNABLE, Suggestion
from common.store.tables import suggestions
from common.store.trust.erasures import erase_features
from common.store.trust.history import LAB, note_events
from common.store.trust.tables import version_corrections, withdrawals

MOST = 10_000  # corrections of one request
UNLEARNT = "no version had learnt it"


@dataclass(frozen=True)
class Chosen:
    """The corrections that somebody takes back: those of the ids, of a client, or those new to a version."""

    ids: Sequence[str] = ()
    source: str | None = None
    version: int | None = None

    @property
    def condition(self) -> sa.ColumnElement[bool]:
        """Return the condition that a correction is one of them."""
        c = suggestions.c
        if self.source is not None:
            return c.source == self.source
        return c.id.in_(self.ids) if self.version is None else c.trained_version == self.version


@dataclass(frozen=True)
class Withdrawal:
    """A correction that was taken back; `closed_at` is None until no file and no version in service has it.

    Attributes:
        suggestion_id: the correction.
        request_id: the same for all corrections that were taken back together.
        requested_at: when, in UTC.
        actor: by whom: the name of a key, or a client's address.
        reason: the person's words.
        erase: whether its features are erased in the end.
        flow_run_id: the run in Prefect that sees to it.
        closed_at: when that was done, in UTC.
        version: the version that serves instead of those that had learnt it.
        outcome: how that came, in words.
    """

    suggestion_id: str
    request_id: str
    requested_at: datetime
    actor: str
    reason: str | None
    erase: bool
    flow_run_id: str | None
    closed_at: datetime | None
    version: int | None
    outcome: str | None

    def in_words(self, *, figures: bool = True) -> str:
        """Return how far it has come; without `figures`, the outcome's numbers of a judgement are left out."""
        if self.closed_at is None:
            run = f"flow run {self.flow_run_id} sees to it" if self.flow_run_id else "a flow run is about to see to it"
            return f"no version learns it any more; {run}"
        if figures or self.outcome == UNLEARNT:
            return self.outcome or ""
        serves = f": version {self.version} serves" if self.version else ""
        return f"no version in service has learnt it any more{serves}"


@dataclass(frozen=True)
class ToWithdraw:
    """Corrections to take back, before it is done.

    Attributes:
        ids: those that are not taken back yet, oldest first, at most `MOST`.
        withdrawn: the number of those that are taken back already.
        left: the number of further ones, beyond `MOST`.
        unknown: ids of no correction of the problem.
    """

    ids: Sequence[str]
    withdrawn: int
    left: int
    unknown: Sequence[str]


class Withdrawals(StorePart):
    """The withdrawals of all problems. A withdrawn correction is learnt no more, from the same transaction on."""

    def find(self, problem: str, chosen: Chosen) -> ToWithdraw:
        """Return which corrections a request would take back."""
        c = suggestions.c
        fits = c.problem == problem, chosen.condition
        query = sa.select(c.id).where(*fits, c.withdrawn_because.is_(None)).order_by(c.received_at, c.id)
        ids = [row["id"] for row in self._database.read(query.limit(MOST))]
        counts: list[sa.Label[Any]] = [
            sa.func.count().label("fitting"),
            sa.func.count(c.withdrawn_because).label("withdrawn"),
        ]
        numbers: sa.Select[Any] = sa.select(*counts)
        [row] = self._database.read(numbers.where(*fits))
        left = row["fitting"] - row["withdrawn"] - len(ids)
        there = self._database.read(sa.select(c.id).where(*fits)) if chosen.ids else ()
        return ToWithdraw(ids, row["withdrawn"], left, sorted({*chosen.ids} - {each["id"] for each in there}))

    def request(  # noqa: PLR0913  # each is a column
        self, problem: str, ids: Sequence[str], request_id: str, actor: str, reason: str, *, erase: bool = False
    ) -> int:
        """Take corrections back, and return how many this request was the first to take back.

        A correction that was stopped before any version learnt it is done with at once. The others are open until
        `close`. With `erase`, also earlier withdrawals of these corrections are open again, if they erased nothing.
        """
        c, now = suggestions.c, datetime.now(UTC)
        these = c.problem == problem, c.id.in_(ids)
        with self._database.writing() as connection:
            gone = set(connection.execute(sa.select(c.id).where(*these, *_stopped_early())).scalars())
            changed = suggestions.update().where(*these, c.withdrawn_because.is_(None)).values(withdrawn_because=reason)
            new = connection.execute(changed.returning(c.id)).scalars().all()
            note_events(connection, new, "withdrawn", actor, reason)
            row = {"problem": problem, "request_id": request_id, "requested_at": now, "actor": actor, "erase": erase}
            done = {"closed_at": now, "outcome": UNLEARNT}
            rows = [
                {**row, "suggestion_id": each, **(done if each in gone and not erase else dict.fromkeys(done))}
                for each in new
            ]
            if rows:
                connection.execute(withdrawals.insert(), rows)
            if erase:
                w = withdrawals.c
                again = withdrawals.update().where(w.problem == problem, w.suggestion_id.in_(ids), ~w.erase)
                connection.execute(again.values(erase=True, closed_at=None))
            return len(new)

    def open(self, problem: str, limit: int = MOST) -> list[Withdrawal]:
        """Return the withdrawals that are not closed yet, those that have a flow run first, then oldest first."""
        c = withdrawals.c
        query = _with_reason().where(c.problem == problem, c.closed_at.is_(None))
        order = c.flow_run_id.is_(None), c.requested_at, c.suggestion_id
        return records(Withdrawal, self._database.read(query.order_by(*order).limit(limit)))

    def open_again(self, problem: str, version: int) -> None:
        """Open the closed withdrawals of the corrections that a version has learnt, or may have: it serves again."""
        s, w, known = suggestions.c, withdrawals.c, version_corrections.c
        recorded = sa.select(known.suggestion_id).where(known.problem == problem, known.version == version)
        first = sa.select(s.id).where(
            s.problem == problem, s.withdrawn_because.is_not(None), s.trained_version <= version
        )
        learnt = w.suggestion_id.in_(recorded) | w.suggestion_id.in_(first)
        with self._database.writing() as connection:
            closed = withdrawals.update().where(w.problem == problem, w.closed_at.is_not(None), learnt)
            connection.execute(closed.values(closed_at=None))

    def open_since(self) -> dict[str, datetime]:
        """Return when the oldest open withdrawal of each problem was requested; problems without one are left out."""
        c = withdrawals.c
        query: sa.Select[Any] = sa.select(c.problem, sa.func.min(c.requested_at).label("since"))
        found = self._database.read(query.where(c.closed_at.is_(None)).group_by(c.problem))
        return {row["problem"]: row["since"] for row in found}

    def newest(self, problem: str, limit: int, ids: Sequence[str] = ()) -> list[Withdrawal]:
        """Return the newest withdrawals, or those of these corrections, newest first."""
        c = withdrawals.c
        query = _with_reason().where(c.problem == problem)
        query = query.where(c.suggestion_id.in_(ids)) if ids else query
        order = c.requested_at.desc(), c.suggestion_id.desc()
        return records(Withdrawal, self._database.read(query.order_by(*order).limit(limit)))

    def tell_more(self, suggestion: Suggestion, figures: bool) -> str:  # noqa: FBT001  # as `TellMore` has it
        """Return what became of a withdrawn correction, as the end of a sentence; an empty text for any other one."""
        found = self.newest(suggestion.problem, 1, [suggestion.id]) if suggestion.state == "withdrawn" else ()
        return "".join(f"; {each.in_words(figures=figures)}" for each in found)

    def has_run(self, problem: str, run_id: str, before: str | None) -> None:
        """Write that a flow run sees to all open withdrawals that have none, or that had the lost run `before`."""
        c = withdrawals.c
        without = c.flow_run_id.is_(None) if before is None else c.flow_run_id.is_(None) | (c.flow_run_id == before)
        with self._database.writing() as connection:
            given = withdrawals.update().where(c.problem == problem, c.closed_at.is_(None), without)
            connection.execute(given.values(flow_run_id=run_id))

    def release(self, problem: str, versions: Collection[int], reason: str) -> None:
        """Let the corrections that were new to these versions wait in finetune.csv for the next one."""
        c = suggestions.c
        learnt = c.problem == problem, c.trained_version.in_(versions), c.written, LEARNABLE
        with self._database.writing() as connection:
            freed = suggestions.update().where(*learnt).values(trained_version=None, judgement_id=None)
            note_events(connection, connection.execute(freed.returning(c.id)).scalars().all(), "waiting", LAB, reason)

    def close(self, problem: str, outcomes: Mapping[str, str], version: int | None) -> None:
        """Write how withdrawals ended, by correction, and erase the features of those that are to be erased.

        A correction whose row has come into finetune.csv meanwhile stays open.
        """
        s, w, now = suggestions.c, withdrawals.c, datetime.now(UTC)
        with self._database.writing() as connection:
            out = sa.select(s.id).where(s.problem == problem, s.id.in_(list(outcomes)), s.row_number.is_(None))
            is_open = w.suggestion_id.in_(out), w.closed_at.is_(None)
            found = connection.execute(sa.select(w.suggestion_id, w.erase).where(*is_open)).all()
            for each in found:
                values = {"closed_at": now, "version": version, "outcome": outcomes[each.suggestion_id]}
                connection.execute(withdrawals.update().where(w.suggestion_id == each.suggestion_id).values(values))
                note_events(connection, [each.suggestion_id], "withdrawn", LAB, outcomes[each.suggestion_id])
            erase_features(connection, [each.suggestion_id for each in found if each.erase])


def _stopped_early() -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions that no file and no version has a correction, and that no flow run is about to write it."""
    c, known = suggestions.c, version_corrections.c
    learnt = sa.select(known.suggestion_id).where(known.suggestion_id == c.id)
    return c.row_number.is_(None), c.trained_version.is_(None), ~LEARNABLE, ~learnt.exists()


def _with_reason() -> sa.Select[Any]:
    joined = sa.join(withdrawals, suggestions, suggestions.c.id == withdrawals.c.suggestion_id)
    return sa.select(withdrawals, suggestions.c.withdrawn_because.label("reason")).select_from(joined)

"""The queue of the review: corrections in quarantine, with their vetting, their history and the map of their picture.

Each question is bounded: its answer has a limit, and indexes find it, however long the queue is.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from common.store.database import StorePart, records
from common.store.suggestions import Suggestion
from common.store.tables import suggestions
from common.store.trust.history import CorrectionEvent
from common.store.trust.reviews import ROLL_BACK
from common.store.trust.tables import IN_QUARANTINE, correction_events, vetting_maps, vettings, withdrawals

MOST_COUNTED = 1_000_000
QUARANTINED = "quarantined"  # the outcome of a vetting that nobody has reviewed


@dataclass(frozen=True)
class QueuedCorrection:
    """A correction in quarantine.

    Attributes:
        rule: the rule of the vetting that stopped it; `ROLL_BACK` for a correction whose version was taken back.
        number: the figure of the rule.
        details: of the vetting: `answer`, `confidence`, `nearest`, `at`; empty without one.
    """

    suggestion: Suggestion
    rule: str
    number: float | None
    details: Mapping[str, Any]


class QueuePages(StorePart):
    """The corrections in quarantine, newest first."""

    def page(self, problem: str, limit: int, skip: int = 0, rule: str = "") -> list[QueuedCorrection]:
        """Return at most `limit` corrections after the first `skip`, all of them or those of one rule."""
        query = _ids(problem, rule).limit(limit).offset(skip)
        ids = [row["id"] for row in self._database.read(query)]
        c = suggestions.c
        verdict = vettings.c.outcome.label("outcome"), vettings.c.rule, vettings.c.number, vettings.c.details
        joined = sa.outerjoin(suggestions, vettings, vettings.c.suggestion_id == c.id)
        found = self._database.read(sa.select(suggestions, *verdict).select_from(joined).where(c.id.in_(ids)))
        by_id = {row["id"]: _queued(row) for row in found}
        return [by_id[each] for each in ids if each in by_id]

    def total(self, problem: str) -> int:
        """Return how many corrections are in quarantine, up to `MOST_COUNTED`."""
        [row] = self._database.read(_counted(problem))
        return int(row["number"])

    def by_rule(self, problem: str, total: int) -> dict[str, int]:
        """Return how many of `total` corrections each rule has put into quarantine, the most first.

        Without rules of none. Those that no rule has put there are of a version that was rolled back.
        """
        c = vettings.c
        withdrawn = sa.exists().where(withdrawals.c.suggestion_id == c.suggestion_id)
        query = sa.select(c.rule, sa.func.count().label("number")).where(*_stopped(problem), ~withdrawn)
        found = {row["rule"]: row["number"] for row in self._database.read(query.group_by(c.rule))}
        found[ROLL_BACK] = max(total - sum(found.values()), 0)
        return {rule: number for rule, number in sorted(found.items(), key=lambda each: -each[1]) if number}

    def maps(self, problem: str, anchors: Collection[int] = ()) -> dict[int, Mapping[str, Any]]:
        """Return the maps of these anchors by version, and the newest one."""
        c = vetting_maps.c
        newest = sa.select(sa.func.max(c.anchor_version)).where(c.problem == problem).scalar_subquery()
        wanted = c.anchor_version.in_(list(anchors)) | (c.anchor_version == newest)
        found = self._database.read(sa.select(vetting_maps).where(c.problem == problem, wanted))
        return {row["anchor_version"]: row["details"] for row in found}

    def histories(self, suggestion_ids: Sequence[str]) -> dict[str, list[CorrectionEvent]]:
        """Return the history of each correction, oldest first."""
        c = correction_events.c
        query = sa.select(correction_events).where(c.suggestion_id.in_(suggestion_ids)).order_by(c.id)
        found: dict[str, list[CorrectionEvent]] = {each: [] for each in suggestion_ids}
        for event in records(CorrectionEvent, self._database.read(query)):
            found[event.suggestion_id].append(event)
        return found


def _ids(problem: str, rule: str = "") -> sa.Select[Any]:
    """Return the ids of the queue in order: an index has them, so that none before the page is read."""
    c, v = suggestions.c, vettings.c
    if rule and rule != ROLL_BACK:
        there = sa.exists().where(c.id == v.suggestion_id, *_in_quarantine(problem))
        query = sa.select(v.suggestion_id.label("id")).where(*_stopped(problem), v.rule == rule, there)
        return query.order_by(v.vetted_at.desc(), v.suggestion_id.desc())
    query = sa.select(c.id).where(*_in_quarantine(problem))
    query = query.where(c.trained_version.is_not(None)) if rule else query
    return query.order_by(c.received_at.desc(), c.id.desc())


def _counted(problem: str) -> sa.Select[Any]:
    """Return the number of corrections, counted in the order of the queue, so that its index is the best one."""
    return sa.select(sa.func.count().label("number")).select_from(_ids(problem).limit(MOST_COUNTED).subquery())


def _in_quarantine(problem: str) -> Sequence[sa.ColumnElement[bool]]:
    return suggestions.c.problem == problem, *IN_QUARANTINE


def _stopped(problem: str) -> tuple[sa.ColumnElement[bool], ...]:
    return vettings.c.problem == problem, vettings.c.outcome == QUARANTINED


def _queued(row: sa.RowMapping) -> QueuedCorrection:
    [suggestion] = records(Suggestion, [row])
    if row["outcome"] == QUARANTINED:
        return QueuedCorrection(suggestion, row["rule"], row["number"], row["details"])
    return QueuedCorrection(suggestion, ROLL_BACK, None, {})

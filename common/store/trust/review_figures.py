"""The figures of vetting and review: how many corrections had which outcome, and how many wait for how long."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from common.store.database import StorePart, records
from common.store.tables import suggestions
from common.store.trust.reviews import DECISIONS
from common.store.trust.tables import IN_QUARANTINE, correction_events, vettings

FIRST = 1_000  # corrections of a queue, in the order in which they came, whose time in quarantine is compared
# Outcomes of corrections that vetting has quarantined, whatever a reviewer decided since.
WERE_QUARANTINED = ("quarantined", *DECISIONS)


@dataclass(frozen=True)
class OutcomeCount:
    """The number of a problem's corrections with one outcome by one rule."""

    problem: str
    outcome: str
    rule: str
    corrections: int


@dataclass(frozen=True)
class ReviewQueue:
    """The number of a problem's corrections in quarantine, and since when the first of them has been there.

    `since` is that of the first 1 000 corrections by the time of their arrival.
    """

    problem: str
    corrections: int
    since: datetime


@dataclass(frozen=True)
class VettedShare:
    """How many of a problem's corrections were vetted in a time, and how many of these were quarantined."""

    vetted: int
    quarantined: int


class ReviewFigures(StorePart):
    """The figures of all problems."""

    def outcomes(self) -> list[OutcomeCount]:
        """Return how many vetted corrections have each outcome, by the rule that decided."""
        c = vettings.c
        by = c.problem, c.outcome, c.rule
        counted = sa.select(*by, sa.func.count().label("corrections")).group_by(*by).order_by(*by)
        return records(OutcomeCount, self._database.read(counted))

    def queues(self) -> list[ReviewQueue]:
        """Return the queue of each problem that has corrections in quarantine."""
        c = suggestions.c
        query = sa.select(c.problem, sa.func.count().label("corrections")).where(*IN_QUARANTINE)
        found = self._database.read(query.group_by(c.problem).order_by(c.problem))
        return [ReviewQueue(row["problem"], row["corrections"], self._since(row["problem"])) for row in found]

    def _since(self, problem: str) -> datetime:
        c, events = suggestions.c, correction_events.c
        of_problem = sa.select(c.id, c.received_at).where(c.problem == problem, *IN_QUARANTINE)
        first = of_problem.order_by(c.received_at, c.id).limit(FIRST).subquery().c
        last = sa.select(events.at).where(events.suggestion_id == first.id, events.state == "quarantined")
        # A correction that was quarantined before the store kept a history has no event.
        came = sa.func.coalesce(last.order_by(events.id.desc()).limit(1).scalar_subquery(), first.received_at)
        [row] = self._database.read(sa.select(sa.func.min(came, type_=c.received_at.type).label("since")))
        return row["since"] or datetime.now(UTC)  # somebody has reviewed the last one meanwhile

    def share(self, problem: str, since: datetime) -> VettedShare:
        """Return how many corrections were vetted from `since` on, and how many of them were quarantined."""
        c = vettings.c
        quarantined = sa.func.count().filter(c.outcome.in_(WERE_QUARANTINED)).label("quarantined")
        columns: list[Any] = [sa.func.count().label("vetted"), quarantined]
        query = sa.select(*columns).where(c.problem == problem, c.vetted_at >= since)
        return records(VettedShare, self._database.read(query))[0]

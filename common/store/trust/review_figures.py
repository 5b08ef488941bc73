"""The figures of vetting and review: how many corrections had which outcome, and how many wait for how long."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from common.store.database import StorePart, records
from common.store.tables import suggestions
from common.store.trust.reviews import DECISIONS
from common.store.trust.tables import IN_QUARANTINE, correction_events, vettings

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
    """The number of a problem's corrections in quarantine, and since when the first of them has been there."""

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
        c, events = suggestions.c, correction_events.c
        last = (
            sa.select(events.at)
            .where(events.suggestion_id == c.id, events.state == "quarantined")
            .order_by(events.id.desc())
            .limit(1)
            .scalar_subquery()
        )
        # A correction that was quarantined before the store kept a history has no event.
        since = sa.func.min(sa.func.coalesce(last, c.received_at), type_=c.received_at.type).label("since")
        query = sa.select(c.problem, sa.func.count().label("corrections"), since).where(*IN_QUARANTINE)
        return records(ReviewQueue, self._database.read(query.group_by(c.problem).order_by(c.problem)))

    def share(self, problem: str, since: datetime) -> VettedShare:
        """Return how many corrections were vetted from `since` on, and how many of them were quarantined."""
        c = vettings.c
        quarantined = sa.func.count().filter(c.outcome.in_(WERE_QUARANTINED)).label("quarantined")
        columns: list[Any] = [sa.func.count().label("vetted"), quarantined]
        query = sa.select(*columns).where(c.problem == problem, c.vetted_at >= since)
        return records(VettedShare, self._database.read(query))[0]

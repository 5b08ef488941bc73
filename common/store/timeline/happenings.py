"""Verdicts and corrections by their time, for the marks of the timeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from common.store.database import StorePart, records
from common.store.tables import judgements, suggestions
from common.store.trust.tables import vettings

# A correction with one of these outcomes was put into quarantine; a reviewer has decided about the last two.
QUARANTINED = ("quarantined", "approved", "rejected")


@dataclass(frozen=True)
class VerdictAt:
    """A verdict of the gate, and the version that was registered from the candidate; None if none was."""

    judged_at: datetime
    verdict: str
    version: int | None


class Happenings(StorePart):
    """Each method reads one range of an index, newest first, and at most `limit` rows."""

    def verdicts(self, problem: str, since: datetime, until: datetime, limit: int) -> list[VerdictAt]:
        """Return the newest verdicts from `since` to before `until`, newest first."""
        c = judgements.c
        query = sa.select(c.judged_at, c.verdict, c.version).where(c.problem == problem)
        between = query.where(c.judged_at >= since, c.judged_at < until).order_by(c.judged_at.desc(), c.id.desc())
        return records(VerdictAt, self._database.read(between.limit(limit)))

    def corrections(self, problem: str, since: datetime, until: datetime, limit: int) -> Sequence[datetime]:
        """Return when the newest corrections came, from `since` to before `until`, newest first."""
        c = suggestions.c
        query = sa.select(c.received_at.label("at")).where(c.problem == problem)
        between = query.where(c.received_at >= since, c.received_at < until).order_by(c.received_at.desc())
        return [row["at"] for row in self._database.read(between.limit(limit))]

    def quarantined(self, problem: str, since: datetime, until: datetime, limit: int) -> Sequence[datetime]:
        """Return when vetting put the newest corrections into quarantine, from `since` to before `until`."""
        c = vettings.c
        query = sa.select(c.vetted_at.label("at")).where(c.problem == problem, c.outcome.in_(QUARANTINED))
        between = query.where(c.vetted_at >= since, c.vetted_at < until).order_by(c.vetted_at.desc())
        return [row["at"] for row in self._database.read(between.limit(limit))]

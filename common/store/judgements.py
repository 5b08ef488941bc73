"""The gate's verdicts on candidates: a row for each fine-tuning that was judged."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from common.store.database import StorePart, records
from common.store.tables import judgements


@dataclass(frozen=True)
class JudgementRecord:
    """The verdict on the better candidate of a fine-tuning.

    Attributes:
        id: a UUID.
        problem: the problem's name.
        judged_at: when, in UTC.
        verdict: the gate's word, such as "accepted".
        version: the ONNX version that was registered from the candidate; None if none was.
        candidate: how the candidate learnt: "continued" or "refitted".
        details: the figures of the judge, as JSON has them.
        outcome: what ground truths decided about the version afterwards, with the reason; None while they have not.
        flow_run_id: the run in Prefect, if there is one.
    """

    id: str
    problem: str
    judged_at: datetime
    verdict: str
    version: int | None
    candidate: str
    details: Mapping[str, Any]
    outcome: str | None = None
    flow_run_id: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether ground truths can still decide about the version that the judgement led to."""
        return self.version is not None and self.outcome is None and bool(self.details.get("wanted"))


class Judgements(StorePart):
    """The judgements of all problems."""

    def add(self, judgement: JudgementRecord) -> None:
        """Insert a judgement, durably; one that is there already stays as it is."""
        known = sa.select(judgements.c.id).where(judgements.c.id == judgement.id)
        with self._database.writing() as connection:
            if connection.execute(known).first() is None:
                connection.execute(judgements.insert().values(asdict(judgement)))

    def of(self, judgement_id: str) -> JudgementRecord | None:
        """Return a judgement; None for an unknown id."""
        found = self._database.read(sa.select(judgements).where(judgements.c.id == judgement_id))
        return next(iter(records(JudgementRecord, found)), None)

    def registered(self, judgement_id: str, version: int) -> None:
        """Write the version that a judgement led to."""
        with self._database.writing() as connection:
            connection.execute(judgements.update().where(judgements.c.id == judgement_id).values(version=version))

    def newest(self, problem: str, limit: int) -> list[JudgementRecord]:
        """Return the newest judgements of a problem, newest first."""
        c = judgements.c
        query = sa.select(judgements).where(c.problem == problem).order_by(c.judged_at.desc(), c.id.desc())
        return records(JudgementRecord, self._database.read(query.limit(limit)))

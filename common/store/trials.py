"""Trials: two versions that answer the same live rows, and the ground truths that decide between them.

The roll-up of pairs, `paired_truths`, is counted as rows come, in `rollups.py`.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from common.store.database import StorePart, records
from common.store.judgements import JudgementRecord
from common.store.statistics import Paired
from common.store.suggestions import LEARNABLE, Suggestion
from common.store.tables import feedback, judgements, paired_truths, suggestions


class Trials(StorePart):
    """The questions of the judge of live versions, and its decisions."""

    def judgement(self, problem: str, version: int) -> JudgementRecord | None:
        """Return the newest judgement that led to a version; None if there is none."""
        c = judgements.c
        query = sa.select(judgements).where(c.problem == problem, c.version == version)
        found = self._database.read(query.order_by(c.judged_at.desc()).limit(1))
        return next(iter(records(JudgementRecord, found)), None)

    def decided(self, problem: str, version: int, outcome: str) -> None:
        """Write what ground truths decided about a version."""
        if found := self.judgement(problem, version):
            with self._database.writing() as connection:
                connection.execute(judgements.update().where(judgements.c.id == found.id).values(outcome=outcome))

    def learnt_by(self, problem: str, version: int) -> list[Suggestion]:
        """Return the suggestions that a version was the first to learn, without refused and quarantined ones."""
        c = suggestions.c
        query = sa.select(suggestions).where(c.problem == problem, c.trained_version == version, LEARNABLE)
        return records(Suggestion, self._database.read(query))

    def truths_of(self, prediction_ids: Sequence[str], *, trusted_only: bool) -> dict[str, str]:
        """Return the ground truths that are known of these predictions, by prediction id."""
        c = feedback.c
        known = c.prediction_id.in_(prediction_ids) & (c.trusted if trusted_only else sa.true())
        query = sa.select(c.prediction_id, c.class_name).where(known)
        return {row["prediction_id"]: row["class_name"] for row in self._database.read(query)}

    def paired_truths(
        self, problem: str, model_name: str, champion: int, challenger: int, *, trusted_only: bool
    ) -> Paired:
        """Return how two versions compare on all rows that both answered and whose ground truth is known."""
        c = paired_truths.c
        right = c.champion_right, c.challenger_right
        query = sa.select(*right, sa.func.sum(c.labels).label("labels")).where(
            c.problem == problem,
            c.model_name == model_name,
            c.champion_version == champion,
            c.challenger_version == challenger,
            c.trusted if trusted_only else sa.true(),
        )
        found = self._database.read(query.group_by(*right))
        return Paired.of({(row["champion_right"], row["challenger_right"]): row["labels"] for row in found})

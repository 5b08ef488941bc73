"""Evidence: the logged rows on which versions are compared. Each query reads a bounded number of rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import itemgetter

import sqlalchemy as sa
from pydantic_core import from_json

from common.store.database import StorePart, records
from common.store.statistics import Paired
from common.store.tables import feedback, paired_truths, predictions, suggestions

SCANNED = 5_000  # rows of the log that `unlabelled` looks at


@dataclass(frozen=True)
class EvidenceRow:
    """A row that the champion answered. `features` are by name; `truth` is its class, None if nobody has said it."""

    prediction_id: str
    features: Mapping[str, float | str]
    truth: str | None = None


class LiveEvidence(StorePart):
    """The evidence in the prediction log and in the roll-up of pairs."""

    def live_truths(
        self, problem: str, model_name: str, since: datetime, limit: int = 500, *, trusted_only: bool
    ) -> list[EvidenceRow]:
        """Return the champion's rows whose ground truths came after `since`, the newest ground truth first.

        Predictions that a suggestion names are left out: versions learn them.
        """
        c, said = predictions.c, feedback.c
        taught = sa.select(suggestions.c.id).where(suggestions.c.prediction_id == said.prediction_id)
        query = (
            sa.select(said.prediction_id, c.features, said.class_name.label("truth"))
            .join(predictions, (c.id == said.prediction_id) & (c.role == "champion") & (c.model_name == model_name))
            .where(said.problem == problem, said.received_at > since, ~taught.exists())
            .order_by(said.received_at.desc(), said.prediction_id.desc())
        )
        if trusted_only:
            query = query.where(said.trusted)
        return records(EvidenceRow, self._database.read(query.limit(limit)))

    def unlabelled(self, problem: str, model_name: str, limit: int = 1000) -> list[EvidenceRow]:
        """Return the champion's newest rows without ground truth, newest first: no outliers, equal features once.

        They are among the newest `SCANNED` rows of the problem's log.
        """
        c = predictions.c
        columns = c.id, c.role, c.model_name, c.features, c.is_outlier, c.predicted_at
        newest = sa.select(*columns).where(c.problem == problem).order_by(c.predicted_at.desc()).limit(SCANNED)
        row = newest.subquery().c
        labelled = sa.select(feedback.c.prediction_id).where(feedback.c.prediction_id == row.id)
        # Features as text: only those that are returned are parsed. The log writes a problem's features in one order.
        query = sa.select(row.id, row.predicted_at, sa.cast(row.features, sa.Text).label("features")).where(
            row.role == "champion", row.model_name == model_name, row.is_outlier.is_not(sa.true()), ~labelled.exists()
        )
        # Sorted here: for large features, SQLite would sort in a temporary file.
        found = sorted(self._database.read(query), key=itemgetter("predicted_at", "id"), reverse=True)
        distinct: dict[str, str] = {}
        for each in found:
            distinct.setdefault(each["features"], each["id"])
        return [EvidenceRow(each, from_json(features)) for features, each in islice(distinct.items(), limit)]

    def truths_of(self, prediction_ids: Sequence[str], *, trusted_only: bool) -> dict[str, str]:
        """Return the ground truths that are known of these predictions, by prediction id."""
        query = sa.select(feedback.c.prediction_id, feedback.c.class_name)
        query = query.where(feedback.c.prediction_id.in_(prediction_ids))
        if trusted_only:
            query = query.where(feedback.c.trusted)
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
        )
        if trusted_only:
            query = query.where(c.trusted)
        found = self._database.read(query.group_by(*right))
        return Paired.of({(row["champion_right"], row["challenger_right"]): row["labels"] for row in found})

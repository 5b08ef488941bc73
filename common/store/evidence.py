"""Evidence: the logged rows on which versions are compared. Each query reads a bounded number of rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import itemgetter

import sqlalchemy as sa
from pydantic_core import from_json

from common.store.database import StorePart, records
from common.store.tables import feedback, predictions, suggestions

SCANNED = 5_000  # rows of the log that `unlabelled` looks at


@dataclass(frozen=True)
class EvidenceRow:
    """A row that the champion answered. `features` are by name; `truth` is its class, None if nobody has said it."""

    prediction_id: str
    features: Mapping[str, float | str]
    truth: str | None = None


class LiveEvidence(StorePart):
    """The evidence in the prediction log."""

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
            .where(said.trusted if trusted_only else sa.true())
            .order_by(said.received_at.desc(), said.prediction_id.desc())
        )
        return records(EvidenceRow, self._database.read(query.limit(limit)))

    def unlabelled(self, problem: str, model_name: str, limit: int = 1000) -> list[EvidenceRow]:
        """Return the champion's newest rows without ground truth, newest first.

        Outliers are left out, and of rows with equal features one is returned. The query looks at the newest `SCANNED`
        rows of the problem's log.
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

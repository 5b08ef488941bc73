"""Known rows: predictions that come together with their ground truths."""

from collections.abc import Sequence
from datetime import UTC, datetime

from common.store.database import Database, StorePart
from common.store.predictions import LoggedPredictions, PredictionRow
from common.store.tables import feedback


class KnownRows(StorePart):
    """Predictions whose ground truth is known at once. Only Seldon's protocol sends such rows."""

    def __init__(self, database: Database, predictions: LoggedPredictions) -> None:
        """Use `database`, and the log that `predictions` writes."""
        super().__init__(database)
        self._predictions = predictions

    def write(
        self,
        rows: Sequence[PredictionRow],
        class_names: Sequence[str],
        *,
        source: str | None = None,
        trusted: bool = False,
    ) -> None:
        """Write new predictions together with their ground truths, durably, all or none; as `Feedback.give` does."""
        said = {"received_at": datetime.now(UTC), "source": source, "trusted": trusted}
        truths = [
            said | {"prediction_id": row["id"], "problem": row["problem"], "class_name": class_name}
            for row, class_name in zip(rows, class_names, strict=True)
        ]
        with self._database.writing() as connection:
            connection.execute(feedback.insert(), truths)
            self._predictions.insert(connection, rows)

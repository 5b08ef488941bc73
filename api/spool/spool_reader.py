"""Brings the predictions of spool files into the log, and writes down what the store does not take."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from api.spool.spool_file import Document, Spool, SpoolFile
from api.spool.spool_metrics import SpoolMetrics
from common.store.database import BadRowError
from common.store.predictions import LoggedPredictions, PredictionRow

PREDICTIONS = "predictions"
ROWS_AT_ONCE = 2_000

logger = logging.getLogger(__name__)


class SpoolReader:
    """Reads spool files, and goes on in each where it stopped before."""

    def __init__(self, spool: Spool, metrics: SpoolMetrics) -> None:
        """Read the files of `spool`."""
        self._spool, self._metrics = spool, metrics
        self._read: dict[str, int] = {}  # the byte up to which the predictions of a file are in the store

    def bring_in_predictions(self, log: LoggedPredictions, file: SpoolFile) -> int:
        """Write the predictions of a file to the log, durably, since the file is then removed.

        Rows that are there already do no harm.

        Returns:
            How many the log has written.

        Raises:
            StoreError: the store is away again. What is not written yet comes with the next call.
        """
        rows: list[PredictionRow] = []
        written = 0
        place = self._read.get(file.path.name, 0)
        for after, document in file.documents(place):
            if document["kind"] == PREDICTIONS:
                rows.append(_row(document["row"]))
            place = after
            if len(rows) >= ROWS_AT_ONCE:
                written += self._write(log, rows)
                self._read[file.path.name] = place
                rows = []
        if rows:
            written += self._write(log, rows)
        self._read[file.path.name] = place
        return written

    def refuse(self, document: Document, error: Exception) -> None:
        """Write down, count and log a document that the store does not take."""
        self._spool.refuse(document, str(error))
        self._metrics.refused.labels(document["kind"]).inc()
        logger.error("the store does not take a %s of the spool; refused.log has it: %s", document["kind"], error)

    def _write(self, log: LoggedPredictions, rows: Sequence[PredictionRow]) -> int:
        written = refused = 0
        try:
            written = log.write(rows, durable=True)
        except BadRowError:
            for row in rows:  # without the one that no database takes
                try:
                    written += log.write([row], durable=True)
                except BadRowError as error:
                    refused += 1
                    self.refuse({"kind": PREDICTIONS, **row_document(row)}, error)
        self._metrics.brought_in.labels(PREDICTIONS).inc(len(rows) - refused)
        return written


def row_document(row: PredictionRow) -> Document:
    """Return what a spool file has of a row of the log."""
    return {"row": {**row, "predicted_at": row["predicted_at"].isoformat()}}


def _row(kept: Document) -> PredictionRow:
    row: Any = {**kept, "predicted_at": datetime.fromisoformat(kept["predicted_at"])}
    return cast("PredictionRow", row)

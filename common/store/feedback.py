"""Feedback: messages with the ground truth of a prediction."""

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from common.store.database import StorePart
from common.store.predictions import PredictionRow, insert_predictions, logged_rows
from common.store.rollups import add_delays, add_label_counts, label_counts
from common.store.tables import feedback


class UnknownPredictionError(LookupError):
    """The store has no prediction with that id."""


class ContradictionError(ValueError):
    """The store knows another ground truth of the prediction."""

    def __init__(self, prediction_id: str, known: str) -> None:
        """Name the prediction and its known ground truth."""
        super().__init__(
            f'the truth about prediction {prediction_id} is known as {known}: to correct it, say "replace": true'
        )


class Feedback(StorePart):
    """The ground truths of predictions."""

    def give(self, prediction_id: str, class_name: str, *, replace: bool = False) -> None:
        """Write the ground truth of a prediction, durably, and count it for the champion and the challenger.

        The same feedback a second time changes nothing.

        Args:
            prediction_id: which prediction.
            class_name: the class that its row really has.
            replace: whether this replaces a ground truth that was wrong; the counts are then corrected.

        Raises:
            UnknownPredictionError: the store has no such prediction (yet).
            ContradictionError: the store knows another ground truth, and `replace` is not set.
        """
        with self._database.writing() as connection:
            record_feedback(connection, prediction_id, class_name, replace=replace)

    def give_new(self, rows: Sequence[PredictionRow], class_names: Sequence[str]) -> None:
        """Write new predictions together with their ground truths, durably, all or none."""
        now = datetime.now(UTC)
        truths = [
            {"prediction_id": row["id"], "class_name": class_name, "received_at": now}
            for row, class_name in zip(rows, class_names, strict=True)
        ]
        with self._database.writing() as connection:
            connection.execute(feedback.insert(), truths)
            insert_predictions(connection, rows)


def record_feedback(connection: sa.Connection, prediction_id: str, class_name: str, *, replace: bool = False) -> None:
    """Do the work of `Feedback.give` in a transaction."""
    rows = logged_rows(connection, {prediction_id})
    if not rows:
        raise UnknownPredictionError(f"there is no prediction {prediction_id}")
    this_row = feedback.c.prediction_id == prediction_id
    known = connection.execute(sa.select(feedback.c.class_name).where(this_row)).scalar()
    if known == class_name:
        return
    if known is not None and not replace:
        raise ContradictionError(prediction_id, known)
    now = datetime.now(UTC)
    if known is None:
        values = {"prediction_id": prediction_id, "class_name": class_name, "received_at": now}
        connection.execute(feedback.insert().values(values))
        add_delays(connection, rows, {prediction_id: now})
    else:
        connection.execute(feedback.update().where(this_row).values(class_name=class_name, replaced_at=now))
    change = label_counts(rows, class_name)
    change.subtract(label_counts(rows, known))
    add_label_counts(connection, change)

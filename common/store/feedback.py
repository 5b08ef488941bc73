"""Feedback: messages with the ground truth of a prediction."""

from datetime import UTC, datetime

import sqlalchemy as sa

from common.store.database import StorePart
from common.store.predictions import logged_rows
from common.store.rollups import KnownTruth, add_delays, add_label_counts, label_counts
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

    def give(
        self,
        prediction_id: str,
        class_name: str,
        *,
        replace: bool = False,
        source: str | None = None,
        trusted: bool = False,
    ) -> None:
        """Write the ground truth of a prediction, durably, and count it for the champion and the challenger.

        The same feedback a second time changes nothing, unless the first was not trusted and this one is.

        Args:
            prediction_id: which prediction.
            class_name: the class that its row really has.
            replace: whether this replaces a ground truth that was wrong; the counts are then corrected.
            source: "key", or the address of the client that sends it.
            trusted: whether the ground truth counts where only trusted ones do.

        Raises:
            UnknownPredictionError: the store has no such prediction (yet).
            ContradictionError: the store knows another ground truth, and `replace` is not set.
        """
        with self._database.writing() as connection:
            truth = KnownTruth(class_name, trusted)
            record_feedback(connection, prediction_id, truth, source, replace=replace)


def record_feedback(
    connection: sa.Connection, prediction_id: str, truth: KnownTruth, source: str | None, *, replace: bool = False
) -> None:
    """Do the work of `Feedback.give` in a transaction."""
    rows = logged_rows(connection, {prediction_id})
    if not rows:
        raise UnknownPredictionError(f"there is no prediction {prediction_id}")
    this_row = feedback.c.prediction_id == prediction_id
    found = connection.execute(sa.select(feedback.c.class_name, feedback.c.trusted).where(this_row)).first()
    known = KnownTruth(*found) if found else None
    is_same = known is not None and known.class_name == truth.class_name
    if known and is_same and known.trusted >= truth.trusted:
        return
    if known and not is_same and not replace:
        raise ContradictionError(prediction_id, known.class_name)
    now = datetime.now(UTC)
    values = {**truth._asdict(), "source": source}
    if known is None:
        new = {"prediction_id": prediction_id, "problem": rows[0]["problem"], "received_at": now}
        connection.execute(feedback.insert().values(new | values))
        add_delays(connection, rows, {prediction_id: now})
    else:
        replaced = {} if is_same else {"replaced_at": now}
        connection.execute(feedback.update().where(this_row).values(values | replaced))
    change = label_counts(rows, truth)
    change.subtract(label_counts(rows, known))
    add_label_counts(connection, change)

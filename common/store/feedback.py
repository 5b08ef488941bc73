"""The truth about predictions, told later."""

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from common.store.database import Database
from common.store.predictions import PredictionRow, insert_predictions, known_predictions
from common.store.rollups import count_delays, count_labels, tally
from common.store.tables import feedback


class UnknownPredictionError(LookupError):
    """The store has no prediction of that id."""


class ContradictionError(ValueError):
    """Another truth is known for the prediction."""

    def __init__(self, prediction_id: str, known: str) -> None:
        """Name both."""
        super().__init__(
            f'the truth about prediction {prediction_id} is known as {known}: to correct it, say "replace": true'
        )


class Feedback:
    """What predictions should have been."""

    def __init__(self, database: Database) -> None:
        """Keep it in `database`."""
        self._database = database

    def give(self, prediction_id: str, class_name: str, *, replace: bool = False) -> None:
        """Keep the truth about a prediction, durably, and count it for the champion and the shadow.

        Telling the same again changes nothing.

        Args:
            prediction_id: which prediction.
            class_name: what it should have been.
            replace: whether another truth, told before, was wrong; the counts are then corrected.

        Raises:
            UnknownPredictionError: the store has no such prediction (yet).
            ContradictionError: another truth is known, and `replace` is not set.
        """
        with self._database.writing() as connection:
            judge(connection, prediction_id, class_name, replace=replace)

    def give_new(self, rows: Sequence[PredictionRow], class_names: Sequence[str]) -> None:
        """Keep new predictions together with the truth about each, durably, all or none."""
        now = datetime.now(UTC)
        truths = [
            {"prediction_id": row["id"], "class_name": class_name, "received_at": now}
            for row, class_name in zip(rows, class_names, strict=True)
        ]
        with self._database.writing() as connection:
            connection.execute(feedback.insert(), truths)
            insert_predictions(connection, rows)


def judge(connection: sa.Connection, prediction_id: str, class_name: str, *, replace: bool = False) -> None:
    """Do in a transaction what `Feedback.give` does."""
    rows = known_predictions(connection, {prediction_id})
    if not rows:
        raise UnknownPredictionError(f"there is no prediction {prediction_id}")
    here = feedback.c.prediction_id == prediction_id
    known = connection.execute(sa.select(feedback.c.class_name).where(here)).scalar()
    if known == class_name:
        return
    if known is not None and not replace:
        raise ContradictionError(prediction_id, known)
    now = datetime.now(UTC)
    if known is None:
        values = {"prediction_id": prediction_id, "class_name": class_name, "received_at": now}
        connection.execute(feedback.insert().values(values))
        count_delays(connection, rows, {prediction_id: now})
    else:
        connection.execute(feedback.update().where(here).values(class_name=class_name, replaced_at=now))
    count_labels(connection, tally(rows, class_name) - tally(rows, known))

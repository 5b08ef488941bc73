"""What the lab remembers: predictions, truths, corrections, champions, alerts. The only package that speaks SQL.

One code path for SQLite and PostgreSQL. Many processes may use one database at once.
"""

from common.store.champions import Champions
from common.store.database import Database, StoreError
from common.store.feedback import Feedback, judge
from common.store.monitoring.alerts import Alerts
from common.store.monitoring.exports import Exports
from common.store.monitoring.history import History
from common.store.monitoring.window_rows import Answers
from common.store.monitoring.windows import Windows
from common.store.predictions import Predictions
from common.store.statistics import Statistics
from common.store.suggestions import Suggestion, Suggestions, add_suggestion

__all__ = ["Store", "StoreError"]


class Store:
    """The database at a SQLAlchemy URL. Safe to use from several threads and processes.

    Raises:
        StoreError: from every method of every part, when the database does not answer as it should.
    """

    def __init__(self, url: str, patience: float | None = None) -> None:
        """Connect, and bring the tables up to date.

        Args:
            url: where.
            patience: how many seconds to wait for other writers; ten if it is None.
        """
        self._database = Database(url, patience)
        self.predictions = Predictions(self._database)
        self.answers = Answers(self._database)
        self.feedback = Feedback(self._database)
        self.suggestions = Suggestions(self._database)
        self.champions = Champions(self._database)
        self.statistics = Statistics(self._database)
        self.history = History(self._database)
        self.windows = Windows(self._database)
        self.alerts = Alerts(self._database)
        self.exports = Exports(self._database)

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def correct(self, suggestion: Suggestion, *, replace: bool = False) -> None:
        """Keep a correction, durably, and with it the truth about the prediction that it names, if it names one.

        Raises:
            UnknownPredictionError, ContradictionError: as `Feedback.give` does; then nothing is kept.
        """
        with self._database.writing() as connection:
            if suggestion.prediction_id:
                judge(connection, suggestion.prediction_id, suggestion.class_name, replace=replace)
            add_suggestion(connection, suggestion)

"""The store: predictions, ground truths, corrections, judgements and champions. The only package that speaks SQL.

One code path serves SQLite and PostgreSQL; many processes may use one database at once. The package imports
`common.problem` only. Begin with `tables.py`. Lines that end in `# room:` connect a folder that can be deleted.
"""

from common.store.audit import AuditLog  # room: keys
from common.store.bulk_insert import insert_new  # room: bulk_insert
from common.store.champions import Champions
from common.store.database import Database, StoreError
from common.store.evidence import LiveEvidence
from common.store.feedback import Feedback, record_feedback
from common.store.judgements import Judgements
from common.store.known_rows import KnownRows  # room: known_rows
from common.store.migrations.upgrade import upgrade  # room: migrations
from common.store.monitoring.alerts import Alerts  # room: monitoring
from common.store.monitoring.correction_history import CorrectionHistory  # room: monitoring
from common.store.monitoring.exports import Exports  # room: monitoring
from common.store.monitoring.history import History  # room: monitoring
from common.store.monitoring.prediction_search import PredictionSearch  # room: monitoring
from common.store.monitoring.tables import EXPORTED_AT  # room: monitoring
from common.store.monitoring.window_rows import WindowRows  # room: monitoring
from common.store.monitoring.windows import Windows  # room: monitoring
from common.store.postgresql import connect  # room: postgresql
from common.store.predictions import LoggedPredictions
from common.store.retention.retention import Retention  # room: retention
from common.store.rollups import KnownTruth
from common.store.statistics import Statistics  # room: statistics
from common.store.suggestions import Suggestion, Suggestions
from common.store.timeline.timeline import Timeline  # room: timeline
from common.store.trials import Trials  # room: trials
from common.store.trust.trust import Trust  # room: trust

__all__ = ["Store", "StoreError"]


class Store:
    """The database at a SQLAlchemy URL. Threads and processes may share it.

    Raises:
        StoreError: from every method of every part, if the database fails.
    """

    def __init__(self, url: str, patience: float | None = None) -> None:
        """Connect, and create or upgrade the tables.

        Args:
            url: of the database.
            patience: how many seconds to wait for other writers; ten if it is None.
        """
        upgrades = engines = None
        upgrades = upgrade  # room: migrations
        engines = connect  # room: postgresql
        self._database = Database(url, patience, upgrades, engines)
        self.predictions = LoggedPredictions(self._database)
        self.feedback = Feedback(self._database)
        self.suggestions = Suggestions(self._database)
        self.champions = Champions(self._database)
        self.judgements = Judgements(self._database)
        self.evidence = LiveEvidence(self._database)
        self.known_rows = KnownRows(self._database, self.predictions)  # room: known_rows
        self.statistics = Statistics(self._database)  # room: statistics
        self.trials = Trials(self._database)  # room: trials
        self.audit = AuditLog(self._database)  # room: keys
        self.predictions.insert_new = insert_new  # room: bulk_insert
        self.trust = Trust(self._database, self.suggestions, self.predictions)  # room: trust
        self.predictions.exported_at = EXPORTED_AT  # room: monitoring
        self.prediction_search = PredictionSearch(self._database, self.predictions)  # room: monitoring
        self.correction_history = CorrectionHistory(self._database)  # room: monitoring
        self.history = History(self._database)  # room: monitoring
        self.window_rows = WindowRows(self._database)  # room: monitoring
        self.windows = Windows(self._database)  # room: monitoring
        self.alerts = Alerts(self._database)  # room: monitoring
        self.exports = Exports(self._database)  # room: monitoring
        self.timeline = Timeline(self._database)  # room: timeline
        self.retention = Retention(self._database)  # room: retention

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def correct(self, suggestion: Suggestion, *, replace: bool = False) -> None:
        """Insert a suggestion, durably, together with the ground truth of its prediction, if it names one.

        Raises:
            UnknownPredictionError, ContradictionError: as `Feedback.give` does; then the suggestion is not inserted.
        """
        with self._database.writing() as connection:
            if suggestion.prediction_id:
                truth = KnownTruth(suggestion.class_name, suggestion.trusted)
                record_feedback(connection, suggestion.prediction_id, truth, suggestion.source, replace=replace)
            self.suggestions.insert(connection, suggestion)

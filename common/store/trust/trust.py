"""The parts of the store that remember what became of each correction."""

from common.store.database import Database
from common.store.predictions import LoggedPredictions
from common.store.suggestions import Suggestions
from common.store.trust.erasures import Erasures
from common.store.trust.history import CorrectionEvents, note_state
from common.store.trust.lineage import Lineage
from common.store.trust.queue import QueuePages
from common.store.trust.replays import Replays
from common.store.trust.review_figures import ReviewFigures
from common.store.trust.reviews import Reviews
from common.store.trust.tainted import TaintedVersions
from common.store.trust.versions import VersionCorrections
from common.store.trust.vettings import Vettings
from common.store.trust.withdrawals import Withdrawals


class Trust:
    """The parts, each with its own tables.

    Attributes:
        events: the history of corrections.
        replays: of the log, on another version.
        queue: the corrections in quarantine, for their review.
        reviews: the queue of corrections in quarantine, and what reviewers decide.
        review_figures: the number of corrections by the outcome of their vetting, and the length of the queue.
        versions: the corrections that each version has learnt.
        vettings: the verdicts of vetting.
        withdrawals: the corrections that somebody took back.
        tainted: the versions that have learnt such corrections.
        lineage: where versions, answers and corrections come from.
        erasures: persons' data that were erased.
    """

    def __init__(self, database: Database, suggestions: Suggestions, predictions: LoggedPredictions) -> None:
        """Use `database`, know more about `suggestions` than they do, and keep erased rows out of `predictions`."""
        suggestions.note = note_state
        self.events = CorrectionEvents(database)
        self.replays = Replays(database)
        self.queue = QueuePages(database)
        self.reviews = Reviews(database)
        self.review_figures = ReviewFigures(database)
        self.versions = VersionCorrections(database)
        self.vettings = Vettings(database, suggestions)
        self.withdrawals = Withdrawals(database)
        suggestions.tell_more = self.withdrawals.tell_more
        self.tainted = TaintedVersions(database)
        self.lineage = Lineage(database)
        self.erasures = Erasures(database)
        predictions.insert_new = self.erasures.without_erased(predictions.insert_new)

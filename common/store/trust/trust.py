"""The parts of the store that remember what became of each correction."""

from common.store.database import Database
from common.store.suggestions import Suggestions
from common.store.trust.history import CorrectionEvents, note_state
from common.store.trust.queue import ReviewQueue


class Trust:
    """The parts, each with its own tables.

    Attributes:
        events: the history of corrections.
        queue: the corrections in quarantine, for their review.
    """

    def __init__(self, database: Database, suggestions: Suggestions) -> None:
        """Use `database`, and note the changes that `suggestions` makes."""
        suggestions.note = note_state
        self.events = CorrectionEvents(database)
        self.queue = ReviewQueue(database)

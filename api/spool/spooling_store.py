"""A store that keeps what it is told in the spool while its database is damaged or away, and brings it in afterwards.

Predictions, ground truths and corrections are kept; everything else raises `StoreError`, as a store does that does not
answer. When the database can be opened, the spool is brought in first, and then the store is used: so what came before
is in the store before what comes after. Each document is brought in exactly once: predictions and corrections by their
ids, ground truths by their place in the file, which is noted after each.

The store cannot judge what is in the spool. So a ground truth of an unknown prediction, or one that contradicts
another, is acknowledged at first; it is written to refused.log, counted, and logged, when the store refuses it.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from fastapi import FastAPI

from api.spool.spool_file import SUFFIX, Document, Spool, SpoolFile
from api.spool.spool_metrics import SpoolMetrics
from api.spool.spool_reader import PREDICTIONS, SpoolReader, row_document
from common.settings import Settings
from common.store import Store, StoreError
from common.store.database import BadRowError
from common.store.feedback import ContradictionError, UnknownPredictionError
from common.store.late_store import LateStore, is_away, reopen
from common.store.predictions import PredictionRow
from common.store.suggestions import SENT, Suggestion

TRUTH, CORRECTION = "truth", "correction"
YOUNG_SECONDS = 10.0  # so long the prediction of a ground truth may be on its way to the log
HOPELESS = (ContradictionError, UnknownPredictionError, BadRowError)

logger = logging.getLogger(__name__)


class SpoolingStore(LateStore):
    """A `LateStore` with a spool."""

    def __init__(self, open_again: Callable[[], Store], error: StoreError, spool: Spool, metrics: SpoolMetrics) -> None:
        """Keep in `spool`, and show it in `metrics`."""
        super().__init__(open_again, error)
        self._spool, self._metrics = spool, metrics
        self._lock = threading.Lock()
        self._reader = SpoolReader(spool, metrics)
        metrics.shows(away=True, size=spool.size())

    @property
    def away(self) -> str | None:
        """Why the store is not used, and where things are kept meanwhile; None while it is used."""
        if self._opened is not None:
            return None
        if self._spool.is_off:
            return f"{self.error}. Without a spool, ground truths and corrections are refused until it is back"
        return f"{self.error}. What the service is told is in its spool: {self._spool.size() / 1e6:.1f} MB"

    def __getattr__(self, name: str) -> Any:
        """Return a part of the store; two of them keep what they are told."""
        part = super().__getattr__(name)
        spooling = {"predictions": _SpooledPredictions, "feedback": _SpooledFeedback}
        return spooling[name](self, part) if name in spooling else part

    def keep(self, kind: str, *documents: Document) -> bool:
        """Keep documents in the spool if the store is not open; return whether they are kept.

        Raises:
            StoreError: the spool is full.
        """
        with self._lock:
            if self._opened is not None:
                return False
            now = time.time()
            self._spool.append(*({"kind": kind, "at": now, **each} for each in documents), for_log=kind == PREDICTIONS)
            self._metrics.shows(away=True, size=self._spool.size())
        self._metrics.kept.labels(kind).inc(len(documents))
        return True

    def correct(self, suggestion: Suggestion, *, replace: bool = False) -> None:
        """Do what `Store.correct` does, or keep the correction."""
        sent = {name: value for name, value in asdict(suggestion).items() if name in SENT}
        if not self.keep(CORRECTION, {"suggestion": sent, "replace": replace}):
            self.opened.correct(suggestion, replace=replace)

    def close(self) -> None:
        """Try no more; the next process brings in what is left."""
        super().close()
        self._spool.close()

    def _use(self, found: Store) -> bool:
        """Bring in the spool, then use the store; return whether all is in."""
        files, others_live = self._spool.files()
        try:
            if not self._bring_in(found, files, others_live=others_live):
                return False
            with self._lock:  # nobody tells more meanwhile
                files = self._spool.with_own(files)
                if not self._bring_in(found, files, others_live=others_live):
                    return False
                self._spool.forget_own()
                for file in files:
                    file.remove()
                self._metrics.shows(away=False, size=self._spool.size())
                return super()._use(found)
        finally:
            for file in files:
                if not self._spool.is_own(file):
                    file.close()

    def _bring_in(self, store: Store, files: Sequence[SpoolFile], *, others_live: bool) -> bool:
        """Bring in what the files have; return whether nothing has to wait.

        The predictions come first: a ground truth needs its prediction, which may be in another file.
        """
        for file in files:
            self._reader.bring_in_predictions(store.predictions, file)
        waiting = [file for file in files if not self._bring_in_told(store, file, others_live=others_live)]
        return not waiting

    def _bring_in_told(self, store: Store, file: SpoolFile, *, others_live: bool) -> bool:
        for after, document in file.documents(file.done):
            if document["kind"] == PREDICTIONS:
                continue
            try:
                self._tell(store, document)
            except HOPELESS as error:
                young = time.time() - document["at"] < YOUNG_SECONDS
                if isinstance(error, UnknownPredictionError) and (young or others_live):
                    return False
                self._reader.refuse(document, error)
            else:
                self._metrics.brought_in.labels(document["kind"]).inc()
            file.done = after
        return True

    def _tell(self, store: Store, document: Document) -> None:
        if document["kind"] == TRUTH:
            store.feedback.give(*document["arguments"], **document["options"])
        else:
            correction = Suggestion(**document["suggestion"])
            try:
                store.correct(correction, replace=document["replace"])
            except (ContradictionError, UnknownPredictionError):
                if store.suggestions.get(correction.id) is None:
                    raise


class _SpooledPredictions:
    """The log of a store that may not be open: it takes predictions."""

    def __init__(self, store: SpoolingStore, part: Any) -> None:
        self._store, self._part = store, part

    def write(self, rows: Sequence[PredictionRow], *, durable: bool = False) -> int:
        if self._store.found is not None:  # the log may be written before the spool is in the store
            return self._store.found.predictions.write(rows, durable=durable)
        if not self._store.keep(PREDICTIONS, *map(row_document, rows)):
            return int(self._part.write(rows, durable=durable))
        return len(rows)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)


class _SpooledFeedback:
    """The ground truths of a store that may not be open: it takes them."""

    def __init__(self, store: SpoolingStore, part: Any) -> None:
        self._store, self._part = store, part

    def give(self, *arguments: Any, **options: Any) -> None:
        if not self._store.keep(TRUTH, {"arguments": arguments, "options": options}):
            self._part.give(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)


def opener(app: FastAPI, settings: Settings) -> Callable[[str, float], Store]:
    """Return a function to open the store with: it returns one with a spool if the database is damaged or away.

    It does so, too, if an earlier process has left something in the spool, until that is in the store.
    """
    folder = settings.state_dir / "spool"

    app.state.late_store = None

    def open_store(url: str, patience: float) -> Store:
        error = StoreError("the spool is being brought in")
        try:
            store = Store(url, patience)
            if not any(folder.glob(f"*{SUFFIX}")):
                return store
            store.close()
        except StoreError as found:
            if not is_away(found):
                raise
            error = found
        spool = Spool(folder, settings.spool_mb * 10**6)
        late = SpoolingStore(partial(reopen, url, patience), error, spool, app.state.spool_metrics)
        app.state.late_store = late
        return late.start()

    return open_store

"""A prediction log that keeps its rows in the spool while the store fails, and brings them in afterwards.

Without it, rows that cannot be written wait in the memory of the api, where a kill takes them.
"""

import logging
import threading
from collections.abc import Sequence
from typing import Any, cast

from api.inference.prediction_log import PredictionLog
from api.metrics.declared import Metrics
from api.spool.spool_file import Spool
from api.spool.spool_metrics import SpoolMetrics
from api.spool.spool_reader import PREDICTIONS, SpoolReader, row_document
from common.settings import Settings
from common.store import StoreError
from common.store.database import BadRowError
from common.store.late_store import END_SECONDS, TRY_SECONDS
from common.store.predictions import PredictionRow

logger = logging.getLogger(__name__)


class SpooledLog:
    """Writes rows as `LoggedPredictions` does, or keeps them in the spool, from `start` to `stop`.

    The next process brings in what `stop` or a kill leaves there.
    """

    def __init__(self, log: PredictionLog, settings: Settings, metrics: Metrics, spool_metrics: SpoolMetrics) -> None:
        """Take over from `log` how it writes and how it flushes."""
        self._predictions, self._flush_queue = log.predictions, log.flush
        log.flush = self.flush
        log.predictions = self  # type: ignore[assignment]  # the log only uses `write`
        self._spool = Spool(settings.state_dir / "spool", settings.spool_mb * 10**6)
        self._metrics, self._rows = spool_metrics, metrics.log_rows
        self._reader = SpoolReader(self._spool, spool_metrics)
        self._changed = threading.Condition()
        self._failed: StoreError | None = None
        self._hurry = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="bring in the log", daemon=True)

    @property
    def away(self) -> str | None:
        """Why rows are in the spool; None while there are none."""
        if (failed := self._failed) is None:
            return None
        return f"{failed}. The prediction log is in the spool: {self._spool.size() / 1e6:.1f} MB"

    def start(self) -> None:
        """Begin to bring in what `write` will keep."""
        self._thread.start()

    def stop(self) -> None:
        """Try once more to bring in the rest, after the log has stopped; leave what cannot be written."""
        self._ended = True
        self._hurry.set()
        self._thread.join(END_SECONDS)
        self._spool.close()

    def write(self, rows: Sequence[PredictionRow]) -> int:
        """Write rows, or keep them; return how many are written.

        Raises:
            StoreError: the store does not take them, and the spool has no room or cannot be written either.
        """
        with self._changed:
            failed = self._failed
            if failed is None:
                try:
                    return self._predictions.write(rows)
                except BadRowError:
                    raise
                except StoreError as error:
                    failed = error
            try:
                self._spool.append(*({"kind": PREDICTIONS, **row_document(row)} for row in rows), for_log=True)
            except StoreError as error:
                raise StoreError(f"{failed}; {error}") from failed
            self._metrics.shows(away=True, size=self._spool.size())
            self._metrics.kept.labels(PREDICTIONS).inc(len(rows))
            if self._failed is None:
                self._failed = failed
                logger.warning("the prediction log goes into the spool until the store is back: %s", failed)
                self._hurry.set()
        return 0

    def flush(self, within: float) -> bool:
        """Wait until the predictions of this moment are in the store; return whether they are.

        Args:
            within: seconds, for the queue and for the spool each.
        """
        if not self._flush_queue(within):
            return False
        self._hurry.set()
        with self._changed:
            return self._changed.wait_for(lambda: self._failed is None, within)

    def _run(self) -> None:
        while not self._ended:
            self._hurry.wait(TRY_SECONDS if self._failed else None)
            self._hurry.clear()
            if self._failed:
                self._bring_in()

    def _bring_in(self) -> None:
        try:
            self._read_own()
            with self._changed:  # nothing is kept meanwhile
                self._read_own()
                self._spool.forget_own()
                self._failed = None
                self._metrics.shows(away=False, size=self._spool.size())
                self._changed.notify_all()
            logger.warning("the prediction log is in the store again, with all that the spool had")
        except StoreError as error:
            self._failed = error
        except Exception:  # nobody would notice that an error has ended the thread
            logger.exception("the prediction log cannot be brought in yet")

    def _read_own(self) -> None:
        if file := self._spool.own:
            self._rows.inc(self._reader.bring_in_predictions(self._predictions, file))


def spool_log(state: Any, settings: Settings) -> SpooledLog:
    """Let the prediction log of an application's `state` keep its rows in the spool; return what does so."""
    state.spooled_log = SpooledLog(state.log, settings, state.metrics, state.spool_metrics)
    return cast("SpooledLog", state.spooled_log)

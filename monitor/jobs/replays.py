"""The job that runs the replays that people start on the page, one after the other."""

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from common.settings import Settings
from common.store import Store, StoreError
from monitor.jobs.subprocess_job import JobError, SubprocessJob

# Threads of libraries would take address space, which MODEL_MEMORY_MB limits.
REPLAY = ("env", "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", sys.executable, "-m", "monitor.replaying")
WITHIN = 300.0  # seconds; ten thousand rows take a few
GIVE_UP = timedelta(minutes=15)

logger = logging.getLogger(__name__)


class ReplayJob:
    """Runs the open replay in a subprocess.

    A replay that a killed monitor has left is begun again, until a quarter of an hour after somebody asked for it.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        command: Sequence[str] = REPLAY,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Run the replays in `store` by `command`."""
        self._replays = store.trust.replays
        self._process = SubprocessJob(command, settings, WITHIN)
        self._clock = clock
        self._store_is_away = False
        self._running = threading.Lock()

    def run(self) -> None:
        """Run the open replay, if there is one; one that fails says so in the store.

        While a replay runs, a further call does nothing.
        """
        if self._running.acquire(blocking=False):
            try:
                self._run_if_store_answers()
            finally:
                self._running.release()

    def stop(self) -> None:
        """Kill the running replay, and prevent further ones; it stays open for the next monitor."""
        self._process.stop()

    def _run_if_store_answers(self) -> None:
        try:
            self._run()
            self._store_is_away = False
        except StoreError as error:
            # Logged once, not at each run.
            if not self._store_is_away:
                logger.warning("replays cannot be run: %s", error)
            self._store_is_away = True

    def _run(self) -> None:
        if (asked := self._replays.open()) is None:
            return
        if self._clock() - asked.requested_at > GIVE_UP:
            self._replays.fail(asked.id, "it was interrupted each time, for a quarter of an hour; start it again")
            return
        try:
            self._process.run()
        except (JobError, OSError) as error:
            self._replays.fail(asked.id, f"the replay has failed: {error}")

"""Looks at the flow run that has corrections in hand, and replaces it if it is gone or over."""

import logging

from api.corrections.flow_runs import PREFECT_ERRORS, FlowRuns
from api.lost_runs.over import why_over
from common.background import GuardedLoop
from common.problem import Problem
from common.settings import Settings
from common.store import Store, StoreError
from common.store.suggestions import TRAIN_AT, Suggestion
from common.store.threads import StoreThreads

LOOK_SECONDS = 5.0
MAX_LOOK_SECONDS = 60.0

logger = logging.getLogger(__name__)


class LostRuns(GuardedLoop):
    """Replaces flow runs that will do nothing more for their corrections, from `start` to `stop`."""

    def __init__(self, problem: Problem, settings: Settings, store: StoreThreads) -> None:
        """Look at the runs of `problem`'s deployment in the Prefect of the settings."""
        super().__init__("replace lost flow runs", "lost flow runs are not replaced", LOOK_SECONDS, StoreError)
        self._problem = problem
        self._store = store
        self._url = settings.prefect_api_url
        self._runs = FlowRuns(problem, settings)
        self._suspect: str | None = None  # the run that the last look found to be gone or over

    async def _repeat(self) -> None:
        async with self._runs.prefect:
            await super()._repeat()

    async def _look(self) -> None:
        """Replace the flow run that has corrections in hand if this look and the last one find it gone or over.

        One look is not enough: the run may just have ended well, or be scheduled again after a failure.
        """
        found = await self._store.read(lambda store: in_hand(store, self._problem.name))
        run_id = found.flow_run_id if found else None
        if found is None or run_id is None:
            self._suspect, self._seconds = None, LOOK_SECONDS
            return
        try:
            over = await why_over(self._runs, run_id)
        except PREFECT_ERRORS:  # Prefect is away
            over = None
        suspect, self._suspect = self._suspect, run_id if over else None
        if not over or suspect != run_id:
            return
        logger.warning("flow run %s %s, and another run gets its corrections", run_id, over)
        self._seconds = min(self._seconds * 2, MAX_LOOK_SECONDS)
        try:
            other_run_id = await self._runs.start(found)
        except PREFECT_ERRORS as error:
            reason = f"its flow run {over}; Prefect at {self._url}: {error!r}"
            await self._store.write(lambda store: store.suggestions.run_lost(run_id, None, reason))
        else:
            await self._store.write(lambda store: store.suggestions.run_lost(run_id, other_run_id))


def in_hand(store: Store, problem: str) -> Suggestion | None:
    """Return a suggestion whose flow run has work to do; None if no run has.

    A run writes its suggestions to finetune.csv. The run of the last row also trains, once enough rows wait.
    """
    if handed_over := store.suggestions.handed_over(problem, limit=1):
        return handed_over[0]
    unjudged = store.suggestions.unjudged(problem)
    return unjudged[-1] if len(unjudged) >= TRAIN_AT else None

"""Delivers corrections to Prefect, and tries again while Prefect is away."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from api.corrections.flow_runs import PREFECT_ERRORS, FlowRuns
from common.background import GuardedLoop
from common.problem import Problem
from common.settings import Settings
from common.store import StoreError
from common.store.delivery import pause
from common.store.suggestions import MAX_PAUSE, Suggestion
from common.store.threads import StoreThreads

LOOK_SECONDS = 1.0
BATCH = 50
FIRST_PAUSE = timedelta(seconds=1)

logger = logging.getLogger(__name__)


class Outbox(GuardedLoop):
    """Starts a flow run for the corrections in the store, from `start` to `stop`.

    A run learns from all corrections that are there when it begins, so that they share it; later corrections get
    another run. The store keeps the undelivered corrections over a restart. Two processes that deliver the same
    correction start one run.
    """

    def __init__(self, problem: Problem, settings: Settings, store: StoreThreads) -> None:
        """Deliver `problem`'s suggestions to the Prefect of the settings."""
        super().__init__("deliver suggestions", "suggestions wait", LOOK_SECONDS, StoreError)
        self._problem = problem
        self._store = store
        self._url = settings.prefect_api_url
        self._runs = FlowRuns(problem, settings)
        # Its own generator: draws from the shared one would change the results of other code that uses it.
        self._random = random.Random()  # noqa: S311  # no secret
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look for undelivered corrections at once."""
        self._wake.set()

    async def _repeat(self) -> None:
        async with self._runs.prefect:
            await super()._repeat()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), self._seconds)

    async def _look(self) -> None:
        self._wake.clear()
        name = self._problem.name
        due = await self._store.read(lambda of: of.suggestions.due(name, datetime.now(UTC), BATCH))
        if not due:
            return
        under_way = await self._store.read(lambda of: of.suggestions.handed_over(name, 1))
        run_id = under_way[0].flow_run_id if under_way else await self._start_for_one(due)
        if run_id:
            await self._store.write(lambda of: of.suggestions.join(name, run_id))

    async def _start_for_one(self, due: Sequence[Suggestion]) -> str | None:
        """Start a flow run for the first suggestion that Prefect takes one for; return its id."""
        for suggestion in due:
            try:
                run_id = await self._runs.start(suggestion)
            except PREFECT_ERRORS as error:
                await self._postpone(suggestion, error)
            else:
                await self._keep(suggestion, run_id)
                return run_id
        return None

    async def _keep(self, suggestion: Suggestion, run_id: str) -> None:
        await self._store.write(lambda store: store.suggestions.delivered(suggestion.id, run_id))

    async def _postpone(self, suggestion: Suggestion, error: Exception) -> None:
        wait = pause(suggestion.attempts, FIRST_PAUSE, MAX_PAUSE, self._random)
        reason = f"Prefect at {self._url}: {error!r}"
        seconds = wait.total_seconds()
        logger.warning("suggestion %s is delivered later, next try in %.0f s: %s", suggestion.id, seconds, reason)
        next_attempt = datetime.now(UTC) + wait
        await self._store.write(lambda of: of.suggestions.delivery_failed(suggestion.id, reason, next_attempt))

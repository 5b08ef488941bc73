"""Handing suggestions over to Prefect, however long Prefect is away."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import httpx

from api.corrections.flow_runs import PREFECT_ERRORS, FlowRuns
from common.background import BackgroundTask
from common.problem import Problem
from common.settings import Settings
from common.store import StoreError
from common.store.delivery import pause
from common.store.suggestions import MAX_PAUSE, Suggestion
from common.store.threads import StoreThreads

LOOK_SECONDS = 1.0
BATCH = 50
FIRST_PAUSE = timedelta(seconds=1)
RUN_LOOK_SECONDS = 5.0  # between two looks at the flow run that has suggestions in hand
MAX_RUN_LOOK_SECONDS = 60.0

logger = logging.getLogger(__name__)


class Outbox:
    """Sees to it that every suggestion in the store has a flow run, from `start` to `stop`.

    A run takes in all suggestions that have come, so they share one as long as it has not begun to; then the next one
    starts another. A run that is gone or over, and has not done its work, is replaced. What is to be delivered stands
    in the store, so that it survives a restart; delivering twice, here or in another process, makes one run.
    """

    def __init__(self, problem: Problem, settings: Settings, store: StoreThreads) -> None:
        """Deliver `problem`'s suggestions to the Prefect of the settings."""
        self._problem = problem
        self._store = store
        self._url = settings.prefect_api_url
        self._runs = FlowRuns(problem, settings)
        # Its own: a shared one would be another user's whose draws it disturbs.
        self._random = random.Random()  # noqa: S311  # no secret
        self._wake = asyncio.Event()
        self._look_at = 0.0  # by the monotonic clock
        self._suspect: str | None = None  # a run that was found to be gone or over, once
        self._tries = 0  # to replace a run, since there was last nothing to do for any
        self._delivering = BackgroundTask("deliver suggestions", self._run)

    async def start(self) -> None:
        """Begin to deliver."""
        self._delivering.start()

    async def stop(self) -> None:
        """Stop delivering; what is not delivered yet stays in the store."""
        await self._delivering.stop()

    def wake(self) -> None:
        """Look at once: there is something new."""
        self._wake.set()

    async def _run(self) -> None:
        async with httpx.AsyncClient(base_url=self._url, timeout=httpx.Timeout(10.0, connect=2.0)) as prefect:
            while True:
                self._wake.clear()
                try:
                    await self._deliver_due(prefect)
                    if time.monotonic() >= self._look_at:
                        wait = min(RUN_LOOK_SECONDS * 2.0**self._tries, MAX_RUN_LOOK_SECONDS)
                        self._look_at = time.monotonic() + wait
                        await self._look_at_run(prefect)
                except StoreError as error:
                    logger.error("suggestions wait: %s", error)
                except Exception:  # nothing unforeseen may end the delivery unnoticed
                    logger.exception("suggestions wait")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), LOOK_SECONDS)

    async def _deliver_due(self, prefect: httpx.AsyncClient) -> None:
        name = self._problem.name
        due = await self._store.read(lambda of: of.suggestions.due(name, datetime.now(UTC), BATCH))
        if not due:
            return
        under_way = await self._store.read(lambda of: of.suggestions.handed_over(name, 1))
        run_id = under_way[0].flow_run_id if under_way else await self._start_for_one(prefect, due)
        if run_id:
            await self._store.write(lambda of: of.suggestions.join(name, run_id))

    async def _start_for_one(self, prefect: httpx.AsyncClient, due: Sequence[Suggestion]) -> str | None:
        """Start a flow run for the first suggestion that Prefect takes one for; return its id."""
        for suggestion in due:
            try:
                run_id = await self._runs.start(prefect, suggestion)
            except PREFECT_ERRORS as error:
                await self._postpone(suggestion, error)
            else:
                await self._note(suggestion, run_id)
                return run_id
        return None

    async def _note(self, suggestion: Suggestion, run_id: str) -> None:
        await self._store.write(lambda of: of.suggestions.delivered(suggestion.id, run_id))

    async def _look_at_run(self, prefect: httpx.AsyncClient) -> None:
        """Replace the flow run that has suggestions in hand, if it was gone or over the last time, too.

        Once is not enough: the run may just have ended well, or be scheduled again after a failure.
        """
        in_hand = await self._store.read(lambda of: of.suggestions.in_hand(self._problem.name))
        run_id = in_hand.flow_run_id if in_hand else None
        if in_hand is None or run_id is None:
            self._suspect, self._tries = None, 0
            return
        try:
            over = await self._runs.how_over(prefect, run_id)
        except PREFECT_ERRORS:  # Prefect is away
            over = None
        suspect, self._suspect = self._suspect, run_id if over else None
        if not over or suspect != run_id:
            return
        logger.warning("flow run %s %s, and its suggestions are delivered anew", run_id, over)
        self._tries += 1
        try:
            other_run_id = await self._runs.start(prefect, in_hand)
        except PREFECT_ERRORS as error:
            reason = f"its flow run {over}; Prefect at {self._url}: {error!r}"
            await self._store.write(lambda of: of.suggestions.run_lost(run_id, reason))
        else:
            await self._store.write(lambda of: of.suggestions.moved(run_id, other_run_id))

    async def _postpone(self, suggestion: Suggestion, error: Exception) -> None:
        wait = pause(suggestion.attempts, FIRST_PAUSE, MAX_PAUSE, self._random)
        reason = f"Prefect at {self._url}: {error!r}"
        seconds = wait.total_seconds()
        logger.warning("suggestion %s is delivered later, next try in %.0f s: %s", suggestion.id, seconds, reason)
        next_attempt = datetime.now(UTC) + wait
        await self._store.write(lambda of: of.suggestions.delivery_failed(suggestion.id, reason, next_attempt))

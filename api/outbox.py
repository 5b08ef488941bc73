"""Handing suggestions over to Prefect, however long Prefect is away."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import httpx

from common.background import BackgroundTask
from common.problem import Problem
from common.settings import Settings
from common.store import Store, StoreError
from common.store.suggestions import MAX_PAUSE, Suggestion

LOOK_SECONDS = 1.0
BATCH = 50

logger = logging.getLogger(__name__)


class Outbox:
    """Sees to it that every suggestion in the store has a flow run, from `start` to `stop`.

    A run takes in all suggestions that have come, so they share one as long as it has not begun to; then the next one
    starts another. What is to be delivered stands in the store, so that it survives a restart. The id of the suggestion
    that starts a run is the run's idempotency key: delivering twice, here or in another process, makes one run.
    """

    def __init__(self, problem: Problem, settings: Settings, store: Store) -> None:
        """Deliver `problem`'s suggestions to the Prefect of the settings."""
        self._problem = problem
        self._suggestions = store.suggestions
        self._url = settings.prefect_api_url
        self._deployment = f"/deployments/name/finetune/{settings.deployment}"
        # Its own: a shared one would be another user's whose draws it disturbs.
        self._random = random.Random()  # noqa: S311  # no secret
        self._wake = asyncio.Event()
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
                except StoreError as error:
                    logger.error("suggestions wait: %s", error)
                except Exception:  # nothing unforeseen may end the delivery unnoticed
                    logger.exception("suggestions wait")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), LOOK_SECONDS)

    async def _deliver_due(self, prefect: httpx.AsyncClient) -> None:
        name = self._problem.name
        due = await asyncio.to_thread(self._suggestions.due, name, datetime.now(UTC), BATCH)
        if not due:
            return
        under_way = await asyncio.to_thread(self._suggestions.handed_over, name, 1)
        run_id = under_way[0].flow_run_id if under_way else await self._start_for_one(prefect, due)
        if run_id:
            await asyncio.to_thread(self._suggestions.join, name, run_id)

    async def _start_for_one(self, prefect: httpx.AsyncClient, due: Sequence[Suggestion]) -> str | None:
        """Start a flow run for the first suggestion that Prefect takes one for; return its id."""
        for suggestion in due:
            try:
                run_id = await self._start_flow_run(prefect, suggestion)
            except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                await self._postpone(suggestion, error)
            else:
                await asyncio.to_thread(self._suggestions.delivered, suggestion.id, run_id)
                return run_id
        return None

    async def _postpone(self, suggestion: Suggestion, error: Exception) -> None:
        wait = min(2.0**suggestion.attempts, MAX_PAUSE.total_seconds()) * self._random.uniform(0.5, 1.0)
        reason = f"Prefect at {self._url}: {error!r}"
        logger.warning("suggestion %s is delivered later, next try in %.0f s: %s", suggestion.id, wait, reason)
        next_attempt = datetime.now(UTC) + timedelta(seconds=wait)
        await asyncio.to_thread(self._suggestions.delivery_failed, suggestion.id, reason, next_attempt)

    async def _start_flow_run(self, prefect: httpx.AsyncClient, suggestion: Suggestion) -> str:
        deployment = (await prefect.get(self._deployment)).raise_for_status().json()
        columns = zip(self._problem.slugs, self._problem.columns, strict=True)
        parameters = {
            **{slug: suggestion.features[name] for slug, name in columns},
            "class_name": suggestion.class_name,
            "suggestion_id": suggestion.id,
        }
        run = await prefect.post(
            f"/deployments/{deployment['id']}/create_flow_run",
            json={"parameters": parameters, "idempotency_key": suggestion.id},
        )
        return str(run.raise_for_status().json()["id"])

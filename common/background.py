"""Coroutines that run in the background of an event loop."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine


class BackgroundTask:
    """Runs a coroutine from `start` until `stop` cancels it. Stopping a task that was never started does nothing."""

    def __init__(self, name: str, run: Callable[[], Coroutine[None, None, None]]) -> None:
        """Run the coroutine that `run` returns; debuggers show it as `name`."""
        self._name = name
        self._run = run
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to run; this needs a running event loop."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Cancel the coroutine, and wait for its end."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

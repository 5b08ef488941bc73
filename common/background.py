"""Work on the event loop that goes on beside everything else, from start to stop."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine


class BackgroundTask:
    """Runs a coroutine from `start` until `stop` cancels it. It may be stopped without having been started."""

    def __init__(self, name: str, run: Callable[[], Coroutine[None, None, None]]) -> None:
        """Run what `run` returns; `name` is what debuggers show."""
        self._name = name
        self._run = run
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; needs a running event loop."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Cancel the coroutine, and wait for its end."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

"""Work in the background of an event loop, again and again."""

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod


class GuardedLoop(ABC):
    """Looks again and again, from `start` until `stop` cancels it, whatever error a look raises.

    Stopping a loop that was never started does nothing.
    """

    def __init__(self, name: str, failure: str, seconds: float, *expected: type[Exception]) -> None:
        """Prepare to look.

        Args:
            name: the name of the task, for debuggers.
            failure: the words before an error in the log.
            seconds: the pause between two looks.
            expected: the errors that are logged without their traceback.
        """
        self._name = name
        self._failure = failure
        self._seconds = seconds
        self._expected = expected
        self._logger = logging.getLogger(type(self).__module__)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._repeat(), name=self._name)

    async def stop(self) -> None:
        """Cancel the look or the pause, and wait for its end."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @abstractmethod
    async def _look(self) -> None:
        """Do the work of one look."""

    async def _pause(self) -> None:
        await asyncio.sleep(self._seconds)

    def _note(self, error: Exception | None) -> None:
        """Log the error of a look; None if it had no error."""
        if isinstance(error, self._expected):
            self._logger.error("%s: %s", self._failure, error)
        elif error:
            self._logger.error(self._failure, exc_info=error)

    async def _repeat(self) -> None:
        while True:
            error = None
            try:
                await self._look()
            except Exception as found:  # noqa: BLE001  # nobody would notice that an error has ended the task
                error = found
            self._note(error)
            await self._pause()

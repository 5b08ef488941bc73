"""Large batches, beside the event loop: what would hold up other requests for milliseconds."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

Done = TypeVar("Done")

LARGE_BYTES = 32 * 1024
AT_ONCE = 1


def is_small(size: int) -> bool:
    """Return whether a body of `size` bytes is answered at once."""
    return size < LARGE_BYTES


class LargeBatches:
    """Does the work of a request at once if it is small, else in a thread.

    Made when the application starts, since the places belong to an event loop.
    """

    def __init__(self) -> None:
        """Begin with all places free."""
        self._places = asyncio.Semaphore(AT_ONCE)

    async def do(self, work: Callable[[], Done], size: int) -> Done:
        """Return what `work` returns, for a body of `size` bytes."""
        if is_small(size):
            return work()
        async with self._places:
            return await asyncio.to_thread(work)

"""Large requests are answered in a thread, because they would block the event loop for milliseconds."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

LARGE_BYTES = 32 * 1024
AT_ONCE = 1


def is_small(size: int) -> bool:
    """Return whether the event loop itself answers a body of `size` bytes."""
    return size < LARGE_BYTES


class OffloadLarge:
    """Does the work for a small request at once and for a large one in a thread, which never waits for the store."""

    def __init__(self) -> None:
        """Prepare the thread."""
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="answer large requests")

    async def do(self, work: Callable[[], Result], size: int) -> Result:
        """Return the result of `work`, which is for a body of `size` bytes."""
        if is_small(size):
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Begin no more work."""
        self._threads.shutdown(wait=False, cancel_futures=True)

"""Large batches, beside the event loop: what would hold up other requests for milliseconds."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Done = TypeVar("Done")

LARGE_BYTES = 32 * 1024
AT_ONCE = 1


def is_small(size: int) -> bool:
    """Return whether a body of `size` bytes is answered at once."""
    return size < LARGE_BYTES


class LargeBatches:
    """Does the work of a request at once if it is small, else in a thread of its own, where nothing needs the store."""

    def __init__(self) -> None:
        """Begin with nothing to do."""
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="answer large batches")

    async def do(self, work: Callable[[], Done], size: int) -> Done:
        """Return what `work` returns, for a body of `size` bytes."""
        if is_small(size):
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

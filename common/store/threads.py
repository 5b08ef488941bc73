"""Threads for what needs the store, so that what does not need it never waits for it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from common.store import Store, StoreError

Found = TypeVar("Found")

AT_ONCE = 4  # of those that read, and of those that write
PLACE_SECONDS = 3.0  # how long one waits for a thread
STORE_SECONDS = 2.0  # how long one waits for the store then, while others write


class _Places:
    def __init__(self, name: str) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix=name)
        self._free = asyncio.Semaphore(AT_ONCE)

    async def do(self, work: Callable[[], Found]) -> Found:
        # Only the waiting has an end: what has begun may be kept already, whatever its client is told.
        try:
            async with asyncio.timeout(PLACE_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise StoreError("the store is not asked: others wait for it already") from None
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._free.release()

    def close(self) -> None:
        self._threads.shutdown(wait=False)


class StoreThreads:
    """Asks the store in threads: those that read need not wait for those that write.

    Made when the application starts, since the places belong to an event loop.

    Raises:
        StoreError: from each method, when the store does not do what it is asked, or others wait for it too long.
    """

    def __init__(self, store: Store) -> None:
        """Ask `store`."""
        self._store = store
        self._reading, self._writing = _Places("read the store"), _Places("write the store")

    async def read(self, work: Callable[[Store], Found]) -> Found:
        """Return what `work`, which only reads, finds in the store."""
        return await self._reading.do(lambda: work(self._store))

    async def write(self, work: Callable[[Store], Found]) -> Found:
        """Return what `work` returns, which writes to the store, or waits for the log to be written."""
        return await self._writing.do(lambda: work(self._store))

    def close(self) -> None:
        """Begin nothing more."""
        self._reading.close()
        self._writing.close()

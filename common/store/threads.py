"""Threads for calls of the store, so that the event loop never waits for the database."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from common.store import Store, StoreError

Found = TypeVar("Found")

AT_ONCE = 4  # calls that read, and as many that write
THREAD_SECONDS = 3.0  # the longest wait for a free thread
STORE_SECONDS = 2.0  # the longest wait in the store for other writers


class _Threads:
    def __init__(self, name: str) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix=name)
        self._free = asyncio.Semaphore(AT_ONCE)

    async def run(self, call: Callable[[], Found]) -> Found:
        # The time limit is for the wait only: a call that has begun may already have written to the store, and its
        # client must not get an error.
        try:
            async with asyncio.timeout(THREAD_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise StoreError("the store is not asked: others wait for it already") from None
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        finally:
            self._free.release()

    def close(self) -> None:
        self._threads.shutdown(wait=False)


class StoreThreads:
    """Calls the store in threads. Readers and writers have threads of their own, so readers never wait for writers.

    The application makes it when it starts, since the semaphores belong to an event loop.

    Raises:
        StoreError: from each method, if the store fails, or if no thread is free for too long.
    """

    def __init__(self, store: Store) -> None:
        """Call `store`."""
        self._store = store
        self._reading, self._writing = _Threads("read the store"), _Threads("write the store")

    async def read(self, call: Callable[[Store], Found]) -> Found:
        """Return the result of `call`, which only reads the store."""
        return await self._reading.run(lambda: call(self._store))

    async def write(self, call: Callable[[Store], Found]) -> Found:
        """Return the result of `call`, which writes to the store, or waits until the log is written."""
        return await self._writing.run(lambda: call(self._store))

    def close(self) -> None:
        """Accept no further calls."""
        self._reading.close()
        self._writing.close()

"""A moderate load on the api: a few clients, each with one request at a time and a pause after it."""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from common.problem import Floats

CLIENTS = 4
PAUSE_SECONDS = 0.005
BATCH_EVERY = 4  # every fourth request asks for all rows at once


@dataclass(frozen=True)
class Request:
    """A sent request: the numbers of its rows, its duration in seconds, and its answers or None if it failed."""

    rows: Sequence[int]
    seconds: float
    predictions: list[dict[str, Any]] | None


@dataclass
class Load:
    """Requests for predictions over HTTP. `sent` holds all requests so far."""

    http: httpx.AsyncClient
    columns: Sequence[str]
    X: Floats
    sent: list[Request] = field(default_factory=list)

    async def until(self, over: asyncio.Event, within: float) -> None:
        """Send requests until the event is set.

        Raises:
            TimeoutError: the event was not set within so many seconds.
        """
        numbers = itertools.count()
        async with asyncio.timeout(within), asyncio.TaskGroup() as clients:
            for _ in range(CLIENTS):
                clients.create_task(self._client(numbers, over))

    async def _client(self, numbers: Iterator[int], over: asyncio.Event) -> None:
        while not over.is_set():
            self.sent.append(await self._send(next(numbers)))
            await asyncio.sleep(PAUSE_SECONDS)

    async def _send(self, number: int) -> Request:
        if number % BATCH_EVERY == 0:
            rows: Sequence[int] = range(len(self.X))
            body: dict[str, Any] = {"data": self.X.tolist()}
        else:
            rows = (number % len(self.X),)
            body = dict(zip(self.columns, self.X[rows[0]].tolist(), strict=True))
        start = time.perf_counter()
        try:
            response = (await self.http.post("/predict", json=body)).raise_for_status()
        except httpx.HTTPError:
            return Request(rows, time.perf_counter() - start, None)
        seconds = time.perf_counter() - start
        answer = response.json()
        return Request(rows, seconds, answer.get("predictions", [answer]))

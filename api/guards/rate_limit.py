"""A limit on how often one client may send corrections."""

import math
import time
from typing import Protocol

from fastapi import Depends, HTTPException, Request
from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from starlette.datastructures import State

from api.http.access import client_of
from common.settings import Settings


class Limit(Protocol):
    """Limits the requests of each client."""

    async def seconds_to_wait(self, client: str) -> int:
        """Return 0 and count a request if the client may send one now, else the seconds until it may."""
        ...


class RateLimit:
    """The limit of one process, on a moving window. It belongs to the event loop that first uses it."""

    def __init__(self, rate: str) -> None:
        """Allow `rate` to each client, such as 120/minute."""
        self._rate = parse(rate)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def seconds_to_wait(self, client: str) -> int:
        """Return 0 and count a request if the client may send one now, else the seconds until it may."""
        if await self._limiter.hit(self._rate, client):
            return 0
        reset, _ = await self._limiter.get_window_stats(self._rate, client)
        return max(math.ceil(reset - time.time()), 1)


async def _not_too_often(request: Request) -> None:
    """Raise 429, with the seconds to wait, if the client sends too many requests."""
    limit: Limit = request.app.state.rate_limit
    if wait := await limit.seconds_to_wait(client_of(request)):
        rate = request.app.state.suggest_rate
        raise HTTPException(429, f"more than {rate}: try again in {wait} s", {"Retry-After": str(wait)})


NOT_TOO_OFTEN = Depends(_not_too_often)


def limit_rate(state: State, settings: Settings, shared: Limit | None) -> None:
    """Limit the corrections that each client may send to an application, by its own limit or by a shared one."""
    state.suggest_rate = settings.suggest_rate
    state.rate_limit = shared or RateLimit(settings.suggest_rate)

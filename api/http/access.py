"""Access to the routes that change something: the API key, and how often one client may send requests."""

import hmac
import math
import time
from dataclasses import dataclass
from typing import Annotated, Protocol

from fastapi import Depends, HTTPException, Request, Security
from fastapi.security import APIKeyHeader
from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from common.settings import Settings

KEY_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="needed when API_KEY is set")


@dataclass(frozen=True)
class Sender:
    """From whom a request comes.

    Attributes:
        source: "key" for a request with the key, else the address of the client.
        trusted: whether the request has the key.
        sees_figures: whether the sender may see the figures of a judgement, which would show a liar how far to go.
    """

    source: str
    trusted: bool
    sees_figures: bool


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


class Access:
    """The rules of one application."""

    def __init__(self, settings: Settings, limit: Limit) -> None:
        """Read the key from the settings, and ask `limit` how often a client may send requests."""
        self._key = settings.api_key.get_secret_value().encode() if settings.api_key else None
        self._rate = settings.suggest_rate
        self._limit = limit

    def check_key(self, key: str | None) -> None:
        """Raise 401 unless no key is set, or this is the key."""
        if self._key is None or self._fits(key):
            return
        raise HTTPException(401, "this needs the key in the header X-API-Key", {"WWW-Authenticate": "ApiKey"})

    def sender(self, key: str | None, client: str) -> Sender:
        """Return the sender of a request with this key: without a key in the settings nobody is trusted."""
        if self._fits(key):
            return Sender("key", trusted=True, sees_figures=True)
        return Sender(client, trusted=False, sees_figures=self._key is None)

    def _fits(self, key: str | None) -> bool:
        return self._key is not None and hmac.compare_digest(self._key, (key or "").encode("latin-1"))

    async def check_rate(self, client: str) -> None:
        """Raise 429, with the seconds to wait, if the client sends too many requests."""
        if wait := await self._limit.seconds_to_wait(client):
            raise HTTPException(429, f"more than {self._rate}: try again in {wait} s", {"Retry-After": str(wait)})


def _client(request: Request) -> str:
    return request.client.host if request.client else ""


async def _with_key(request: Request, key: Annotated[str | None, Security(KEY_HEADER)]) -> None:
    request.app.state.access.check_key(key)


async def _not_too_often(request: Request) -> None:
    await request.app.state.access.check_rate(_client(request))


async def _sender(request: Request, key: Annotated[str | None, Security(KEY_HEADER)]) -> Sender:
    access: Access = request.app.state.access
    return access.sender(key, _client(request))


WITH_KEY = Depends(_with_key)
NOT_TOO_OFTEN = Depends(_not_too_often)
TheSender = Annotated[Sender, Depends(_sender)]

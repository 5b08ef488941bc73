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
        source: "key" or "review key" for a request with one of the keys, else the address of the client.
        trusted: whether the request has a key.
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
        """Read the keys from the settings, and ask `limit` how often a client may send requests."""
        keys = {"key": settings.api_key, "review key": settings.review_key}
        self._keys = {name: key.get_secret_value().encode() for name, key in keys.items() if key}
        self._rate = settings.suggest_rate
        self._limit = limit

    def check_key(self, key: str | None, *, reviews: bool = False) -> None:
        """Raise 401 unless no key is set, or this is one of them; for a review, the review key comes first."""
        needed = "review key" if reviews and "review key" in self._keys else "key"
        if needed in self._keys and self._name(key) not in {needed, "review key"}:
            raise HTTPException(401, f"this needs the {needed} in the header X-API-Key", {"WWW-Authenticate": "ApiKey"})

    def sender(self, key: str | None, client: str) -> Sender:
        """Return the sender of a request with this key: without a key in the settings nobody is trusted."""
        name = self._name(key)
        return Sender(name or client, trusted=bool(name), sees_figures=bool(name) or "key" not in self._keys)

    def _name(self, key: str | None) -> str | None:
        given = (key or "").encode("latin-1")
        return next((name for name, known in self._keys.items() if hmac.compare_digest(known, given)), None)

    async def check_rate(self, client: str) -> None:
        """Raise 429, with the seconds to wait, if the client sends too many requests."""
        if wait := await self._limit.seconds_to_wait(client):
            raise HTTPException(429, f"more than {self._rate}: try again in {wait} s", {"Retry-After": str(wait)})


def _client(request: Request) -> str:
    return request.client.host if request.client else ""


async def _with_key(request: Request, key: Annotated[str | None, Security(KEY_HEADER)]) -> None:
    request.app.state.access.check_key(key)


async def _for_review(request: Request, key: Annotated[str | None, Security(KEY_HEADER)]) -> None:
    request.app.state.access.check_key(key, reviews=True)


async def _not_too_often(request: Request) -> None:
    await request.app.state.access.check_rate(_client(request))


async def _sender(request: Request, key: Annotated[str | None, Security(KEY_HEADER)]) -> Sender:
    access: Access = request.app.state.access
    return access.sender(key, _client(request))


WITH_KEY = Depends(_with_key)
WITH_REVIEW_KEY = Depends(_for_review)
NOT_TOO_OFTEN = Depends(_not_too_often)
TheSender = Annotated[Sender, Depends(_sender)]

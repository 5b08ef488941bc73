"""Who may change things: the key of the API, and how often one client may ask."""

import hmac
import math
import time
from typing import Annotated

from fastapi import Depends, HTTPException, Request, Security
from fastapi.security import APIKeyHeader
from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from common.settings import Settings

KEY_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="needed when API_KEY is set")


class Access:
    """The rules of one application: made when it starts, since the limiter belongs to an event loop."""

    def __init__(self, settings: Settings) -> None:
        """Read them from the settings."""
        self._key = settings.api_key.get_secret_value().encode() if settings.api_key else None
        self._rate = parse(settings.suggest_rate)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def check_key(self, key: str | None) -> None:
        """Raise 401 unless no key is set, or it is this one."""
        if self._key is None or hmac.compare_digest(self._key, (key or "").encode("latin-1")):
            return
        raise HTTPException(401, "this needs the key in the header X-API-Key", {"WWW-Authenticate": "ApiKey"})

    async def check_rate(self, client: str) -> None:
        """Raise 429, with the seconds to wait, when a client asks too often."""
        if await self._limiter.hit(self._rate, client):
            return
        reset, _ = await self._limiter.get_window_stats(self._rate, client)
        wait = max(math.ceil(reset - time.time()), 1)
        raise HTTPException(429, f"more than {self._rate}: try again in {wait} s", {"Retry-After": str(wait)})


async def _with_key(request: Request, key: Annotated[str | None, Security(KEY_HEADER)]) -> None:
    access: Access = request.app.state.access
    access.check_key(key)


async def _not_too_often(request: Request) -> None:
    access: Access = request.app.state.access
    await access.check_rate(request.client.host if request.client else "")


WITH_KEY = Depends(_with_key)
NOT_TOO_OFTEN = Depends(_not_too_often)

"""Who may change things: the key of the API, and how often one client may ask."""

import hmac
from typing import Annotated, Protocol

from fastapi import Depends, HTTPException, Request, Security
from fastapi.security import APIKeyHeader

from common.settings import Settings

KEY_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="needed when API_KEY is set")


class Limit(Protocol):
    """Tells how long a client has to wait before it may ask again; 0 counts as having asked."""

    async def seconds_to_wait(self, client: str) -> int: ...  # noqa: D102  # said above


class Access:
    """The rules of one application."""

    def __init__(self, settings: Settings, limit: Limit) -> None:
        """Read the key from the settings; `limit` knows who asks too often."""
        self._key = settings.api_key.get_secret_value().encode() if settings.api_key else None
        self._rate = settings.suggest_rate
        self._limit = limit

    def check_key(self, key: str | None) -> None:
        """Raise 401 unless no key is set, or it is this one."""
        if self._key is None or hmac.compare_digest(self._key, (key or "").encode("latin-1")):
            return
        raise HTTPException(401, "this needs the key in the header X-API-Key", {"WWW-Authenticate": "ApiKey"})

    async def check_rate(self, client: str) -> None:
        """Raise 429, with the seconds to wait, when a client asks too often."""
        if wait := await self._limit.seconds_to_wait(client):
            raise HTTPException(429, f"more than {self._rate}: try again in {wait} s", {"Retry-After": str(wait)})


async def _with_key(request: Request, key: Annotated[str | None, Security(KEY_HEADER)]) -> None:
    access: Access = request.app.state.access
    access.check_key(key)


async def _not_too_often(request: Request) -> None:
    access: Access = request.app.state.access
    await access.check_rate(request.client.host if request.client else "")


WITH_KEY = Depends(_with_key)
NOT_TOO_OFTEN = Depends(_not_too_often)

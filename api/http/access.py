"""Access to the routes that change something: the API key, and from whom a request comes."""

import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Request, Security
from fastapi.security import APIKeyHeader

from common.settings import Settings

KEY_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="needed when API_KEY is set")


@dataclass(frozen=True)
class Sender:
    """The sender of a request.

    Attributes:
        source: the name of the key for a request with one, such as "key"; else the address of the client.
        trusted: whether the request has a key.
        sees_figures: whether the sender may see the figures of a judgement, which would show a liar how far to go.
    """

    source: str
    trusted: bool
    sees_figures: bool


class Access:
    """The keys of one application.

    Attributes:
        keys: the keys by name. A room may add another one, which opens every route that needs "key".
    """

    def __init__(self, settings: Settings) -> None:
        """Read the key from the settings."""
        self.keys = {"key": settings.api_key.get_secret_value().encode()} if settings.api_key else {}

    def check_key(self, key: str | None) -> None:
        """Raise 401 unless no key is set, or this is one of the keys."""
        if "key" in self.keys and self.name(key) is None:
            raise key_error("key")

    def sender(self, key: str | None, client: str) -> Sender:
        """Return the sender of a request with this key: without a key in the settings nobody is trusted."""
        name = self.name(key)
        return Sender(name or client, trusted=bool(name), sees_figures=bool(name) or "key" not in self.keys)

    def name(self, key: str | None) -> str | None:
        """Return the name of a key; None for an unknown one."""
        given = (key or "").encode("latin-1")
        return next((name for name, known in self.keys.items() if hmac.compare_digest(known, given)), None)


def key_error(name: str) -> HTTPException:
    """Return the answer to a request without a key of this name."""
    return HTTPException(401, f"this needs the {name} in the header X-API-Key", {"WWW-Authenticate": "ApiKey"})


def client_of(request: Request) -> str:
    """Return the address of a request's client; an empty text if the server does not know it."""
    return request.client.host if request.client else ""


async def _with_key(request: Request, key: Annotated[str | None, Security(KEY_HEADER)]) -> None:
    request.app.state.access.check_key(key)


async def _sender(request: Request, key: Annotated[str | None, Security(KEY_HEADER)]) -> Sender:
    access: Access = request.app.state.access
    return access.sender(key, client_of(request))


WITH_KEY = Depends(_with_key)
TheSender = Annotated[Sender, Depends(_sender)]

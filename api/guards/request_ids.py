"""An id for every request, so that what a client saw is found in the log."""

import logging
import re
from collections.abc import Iterable

import uuid_utils
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = b"x-request-id"
_USABLE = re.compile(rb"[\w.:/+=@-]{1,128}").fullmatch

logger = logging.getLogger(__name__)


def request_id(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the id that the client has given in `X-Request-ID`, if it can be used, else a new one."""
    for name, value in headers:
        if name == HEADER and _USABLE(value):
            return value
    return str(uuid_utils.uuid7()).encode()


class RequestIds:
    """ASGI middleware: every answer has an `X-Request-ID`, and the log names it where an answer fails."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, and mark its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        marked = request_id(scope["headers"])

        async def mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (HEADER, marked)]
            await send(message)

        try:
            await self.app(scope, receive, mark)
        except Exception:
            logger.error("request %s to %s failed; what follows says why", marked.decode(), scope["path"])
            raise

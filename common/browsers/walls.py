"""The step before each request that keeps other pages in a person's browser out of the service."""

from typing import Protocol

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.browsers.hosts import Hosts
from common.browsers.origins import SAFE, is_foreign
from common.browsers.policies import CSP, NO_PAGE, NO_SNIFFING, docs_policy
from common.error_document import error_document


class ErrorAnswer(Protocol):
    """Makes the answer to a request that is refused."""

    def __call__(self, status: int, detail: str, instance: str) -> Response:
        """Return an answer with this status and these words, about the path `instance`."""
        ...


class BrowserWalls:
    """ASGI middleware: 421 for a name that is not the service's, 403 for a change that another page sends.

    The names are in `hosts` of the application's state. An answer gets each header of `policies` that it does not have.
    """

    def __init__(self, app: ASGIApp, answer: ErrorAnswer = error_document) -> None:
        """Stand before `app`; refuse by `answer`."""
        self.app = app
        self._answer = answer
        self._own = Hosts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        app = self._refusal(scope) or self.app
        await app(scope, receive, _WithPolicies(send))

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers, path = scope["headers"], scope["path"]
        known: Hosts = getattr(scope["app"].state, "hosts", self._own)
        if not all(known.allows(value) for name, value in headers if name == b"host"):
            detail = "this is not a name of the service: its operator can add it to ALLOWED_HOSTS"
            return self._answer(421, detail, path)
        if scope["method"] not in SAFE and is_foreign(headers):
            return self._answer(403, "a page of another origin may change nothing here", path)
        return None


class _WithPolicies:
    """Sends the messages of one answer; that of a page waits for its body, which the policy depends on."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._page: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = dict(message.get("headers", ()))
            if NO_SNIFFING[0] not in headers:
                _add(message, NO_SNIFFING)
            if CSP not in headers:
                if headers.get(b"content-type", b"").startswith(b"text/html"):
                    self._page = message
                    return
                _add(message, NO_PAGE)
        elif self._page is not None:
            started, self._page = self._page, None
            _add(started, (CSP, docs_policy(message.get("body", b""))))
            await self._send(started)
        await self._send(message)


def _add(message: Message, header: tuple[bytes, bytes]) -> None:
    message["headers"] = [*message.get("headers", ()), header]

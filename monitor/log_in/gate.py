"""The gate before each page of the monitor: it lets nobody without a key pass, if the lab has any."""

import time
from urllib.parse import quote

from starlette.requests import HTTPConnection, cookie_parser
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from common.error_document import error_document
from common.keys.holders import KeyHolder, KeyRole
from common.keys.keyring import keyring_of
from common.keys.wrong_keys import WrongKeys
from monitor.log_in.noting import client_of, note

COOKIE = "lab_session"
LOG_IN = "/log-in"
HOLDER = "key_holder"  # the keys of the scope, for whoever has logged in, and for the key that the api will get
API_KEY = "key_for_api"
# Probes, metrics, and the files of the log-in page.
OPEN = frozenset({"/livez", "/readyz", "/metrics", LOG_IN})
NEEDED: dict[str, KeyRole] = {"/audit": "operate", "/replays": "review"}  # the api decides about all other forms


class Gate:
    """ASGI middleware: asks for a log-in, or answers 401 to programs, 403 if the role is too low."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`."""
        self.app = app
        self._wrong = WrongKeys()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        keyring = keyring_of(scope["app"])
        path = scope["path"]
        if not keyring.has_keys or path in OPEN or path.startswith("/static/"):
            await self.app(scope, receive, send)
            return
        key = _header(scope, b"x-api-key")
        given = key.decode(errors="surrogateescape") or _session(scope)
        holder = keyring.holder(given) if given else None
        if holder is None:
            request = HTTPConnection(scope)
            # A session that is over is no attempt.
            if key and self._wrong.worth_noting(client_of(request), time.monotonic()):
                await note(request, None, f"{scope['method']} {path}", "401, wrong key")
            await _refused(scope)(scope, receive, send)
        elif not holder.may(needed := NEEDED.get(path, "read")):
            detail = f"the role of {holder.name} is {holder.role}, and this needs {needed}"
            await error_document(403, detail, path)(scope, receive, send)
        else:
            scope[HOLDER], scope[API_KEY] = holder, keyring.for_api(holder, given)
            await self.app(scope, receive, send)


def holder_of_request(scope: Scope) -> KeyHolder | None:
    """Return whoever has logged in; None in a lab without keys."""
    found: KeyHolder | None = scope.get(HOLDER)
    return found


def _header(scope: Scope, name: bytes) -> bytes:
    headers: dict[bytes, bytes] = dict(scope["headers"])
    return headers.get(name, b"")


def _session(scope: Scope) -> str:
    return cookie_parser(_header(scope, b"cookie").decode("latin-1")).get(COOKIE, "")


def _refused(scope: Scope) -> ASGIApp:
    headers = dict(scope["headers"])
    # A script that refreshes a page is told the truth; only a page that a person opens becomes the log-in.
    is_page = b"text/html" in headers.get(b"accept", b"") and headers.get(b"sec-fetch-mode", b"navigate") == b"navigate"
    if is_page and scope["method"] == "GET":
        query = scope["query_string"].decode("latin-1")
        wanted = scope["path"] + (f"?{query}" if query else "")
        return RedirectResponse(f"{LOG_IN}?to={quote(wanted, safe='')}", 303, {"Cache-Control": "no-store"})
    detail = "log in first, or send a key in the header X-API-Key"
    return error_document(401, detail, scope["path"], {"WWW-Authenticate": "ApiKey"})

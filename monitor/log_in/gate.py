"""The gate before each page of the monitor: it lets nobody without a key pass, if the lab has named keys."""

from urllib.parse import quote

from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from common.error_document import error_document
from common.keys.holders import KeyHolder, KeyRole
from common.keys.keyring import keyring_of

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        keyring = keyring_of(scope["app"])
        path = scope["path"]
        if not keyring.has_file or path in OPEN or path.startswith("/static/"):
            await self.app(scope, receive, send)
            return
        given = _given(scope)
        holder = keyring.holder(given) if given else None
        if holder is None:
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


def _given(scope: Scope) -> str:
    """Return the key in the header X-API-Key, or the session in the cookie."""
    headers: dict[bytes, str] = {name: value.decode("latin-1") for name, value in scope["headers"]}
    if key := headers.get(b"x-api-key"):
        return key
    return cookie_parser(headers.get(b"cookie", "")).get(COOKIE, "")


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

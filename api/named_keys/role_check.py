"""The step before each request with a key: may its role do this? Afterwards the audit log says who did it."""

import logging
import re
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import error_response
from api.named_keys.named_access import access_of
from common.keys.holders import KeyHolder, KeyRole
from common.keys.wrong_keys import WrongKeys
from common.store import StoreError
from common.store.audit import NOBODY

WRONG_KEY = 401  # the status of an answer
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Predictions need no key, so that any key may come with them.
PREDICTIONS = re.compile(r"/predict|/v2(/.*)?|(/.*)?/api/v[0-9.]+/predictions")
# Messages of many clients, which the store keeps with their source anyway.
MESSAGES = re.compile(r"/suggest|/feedback|(/.*)?/api/v[0-9.]+/feedback")
REVIEWS = re.compile(rf"{MESSAGES.pattern}|/corrections(/.*)?|/predictions(/.*)?")

logger = logging.getLogger(__name__)


def needed_role(method: str, path: str) -> KeyRole:
    """Return the role that a request needs; an unknown path that changes something needs the highest one."""
    if method in SAFE or PREDICTIONS.fullmatch(path):
        return "read"
    return "review" if REVIEWS.fullmatch(path) else "operate"


class RoleCheck:
    """ASGI middleware: 403 for a named key whose role is too low.

    Changes with a key are noted in the audit log, and some of the requests that a wrong key has not opened.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`."""
        self.app = app
        self._wrong = WrongKeys()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it."""
        given = _key(scope) if scope["type"] == "http" else ""
        if not given:
            await self.app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        role, status = needed_role(method, path), 500

        async def noted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        holder = access_of(scope).keyring.holder(given)
        if holder is None:
            await self.app(scope, receive, noted)
            if status == WRONG_KEY and self._wrong.worth_noting(_client(scope), time.monotonic()):
                await _note(scope, None, f"{method} {path}", f"{WRONG_KEY}, wrong key")
            return
        is_named = holder.name not in access_of(scope).keys
        allowed = not is_named or holder.may(role)
        detail = f"the role of this key is {holder.role}, and this needs {role}"
        app = self.app if allowed else error_response(403, detail, path)
        try:
            await app(scope, receive, noted)
        finally:
            if method not in SAFE and not PREDICTIONS.fullmatch(path) and not (allowed and MESSAGES.fullmatch(path)):
                await _note(scope, holder, f"{method} {path}", str(status))


def _key(scope: Scope) -> str:
    values = (value for name, value in scope["headers"] if name == b"x-api-key")
    return next(values, b"").decode(errors="surrogateescape")


def _client(scope: Scope) -> str:
    return scope["client"][0] if scope.get("client") else ""


async def _note(scope: Scope, holder: KeyHolder | None, action: str, result: str) -> None:
    client, (name, role) = _client(scope), (holder.name, holder.role) if holder else (NOBODY, "")
    try:
        await scope["app"].state.store.write(lambda of: of.audit.note(name, role, client, action, result))
    except StoreError as error:
        logger.error("the audit log misses %s by %s (%s): %s", action, name, result, error)

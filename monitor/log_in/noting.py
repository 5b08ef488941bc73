"""Entries of the audit log."""

import asyncio
import logging

from starlette.requests import HTTPConnection

from common.keys.holders import KeyHolder
from common.store import Store, StoreError
from common.store.audit import NOBODY

logger = logging.getLogger(__name__)


def client_of(request: HTTPConnection) -> str:
    """Return the address of a request's client; "" if the server does not know it."""
    return request.client.host if request.client else ""


async def note(request: HTTPConnection, holder: KeyHolder | None, action: str, result: str) -> None:
    """Note an action of a holder, or of nobody; a log that cannot be written keeps nobody from an answer."""
    store: Store = request.app.state.store
    name, role = (holder.name, holder.role) if holder else (NOBODY, "")
    try:
        await asyncio.to_thread(store.audit.note, name, role, client_of(request), action, result)
    except StoreError as error:
        logger.error("the audit log misses a %s of %s (%s): %s", action, name, result, error)

"""The key for reviewing corrections, beside the key of the api."""

from typing import Annotated

from fastapi import Depends, Request, Security

from api.http.access import KEY_HEADER, Access, key_error
from common.settings import Settings

REVIEW_KEY = "review key"


def add_review_key(access: Access, settings: Settings) -> None:
    """Let the review key, if it is set, open all routes that need a key."""
    if settings.review_key:
        access.keys[REVIEW_KEY] = settings.review_key.get_secret_value().encode()


async def _for_review(request: Request, key: Annotated[str | None, Security(KEY_HEADER)]) -> None:
    """Raise 401 unless this is the review key; without one, the key of the api is enough."""
    access: Access = request.app.state.access
    if REVIEW_KEY not in access.keys:
        access.check_key(key)
    elif not (access.name(key) or "").startswith(REVIEW_KEY):  # a named key of a reviewer begins so, too
        raise key_error(REVIEW_KEY)


WITH_REVIEW_KEY = Depends(_for_review)

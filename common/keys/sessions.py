"""Sessions: a signed text in a cookie says who has logged in, and until when. No service keeps a list of them."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable

from common.keys.holders import KeyHolder

LIFETIME = 12 * 3600  # seconds: a day of work
LONGEST = 300  # characters
_BEGINNING = "session"


def new_session(holder: KeyHolder, now: float) -> str:
    """Return the text of a session that begins now, in seconds since 1970."""
    return _signed(holder, int(now) + LIFETIME)


def holder_of(text: str, known: Callable[[str], KeyHolder | None], now: float) -> KeyHolder | None:
    """Return the holder of a session; None if it is over, or if nobody of this lab has signed it.

    Args:
        text: the text of the session.
        known: the holder of a name; None if the name has no key any more.
        now: seconds since 1970.
    """
    parts = text.split(".")
    if len(text) > LONGEST or len(parts) != 4 or parts[0] != _BEGINNING:  # noqa: PLR2004  # parts of `_signed`
        return None
    name, until = parts[1].replace("+", " "), parts[2]
    if not (until.isascii() and until.isdecimal() and now < int(until) <= now + LIFETIME):
        return None
    holder = known(name)
    # A new key has a new secret, so that the sessions of the old one end.
    if holder is None:
        return None
    given = text.encode(errors="surrogateescape")
    return holder if hmac.compare_digest(_signed(holder, int(until)).encode(), given) else None


def _signed(holder: KeyHolder, until: int) -> str:
    text = f"{_BEGINNING}.{holder.name.replace(' ', '+')}.{until}"
    signature = hmac.digest(holder.secret, text.encode(), "sha256")
    return f"{text}.{urlsafe_b64encode(signature).decode().rstrip('=')}"

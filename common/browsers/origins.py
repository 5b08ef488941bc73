"""Whether a page of another origin sends a request.

The attack is a form or a script on any page that a person has open. A browser sends some requests for such a page
without asking first: forms, and bodies that are called text/plain. Browsers say where a request comes from, in headers
that no page can change: `Sec-Fetch-Site`, to https:// and to this machine, and `Origin`. Other programs send neither.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})  # methods whose routes change nothing
# A person who types an address or opens a bookmark is no page.
OWN_SITES = (b"same-origin", b"none")


def is_foreign(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether a browser says that a page of another origin sends a request with these headers."""
    given = dict(headers)
    if site := given.get(b"sec-fetch-site"):
        return site not in OWN_SITES
    if (origin := given.get(b"origin")) is None:
        return False
    try:
        sender = urlsplit(origin.decode("latin-1")).netloc
    except ValueError:  # a bracket that nobody closes
        return True
    # The scheme does not count: behind a proxy with TLS the service does not know it.
    return not sender or sender.lower() != given.get(b"host", b"").decode("latin-1").lower()

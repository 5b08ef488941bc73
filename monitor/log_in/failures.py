"""How often a client has given a wrong key."""

import time
from collections import deque

MOST = 10  # wrong keys of one client in `SECONDS`
SECONDS = 60.0
KEPT = 1_000  # of all clients


class Failures:
    """The newest wrong keys of all clients."""

    def __init__(self) -> None:
        """Begin without any."""
        self._kept: deque[tuple[float, str]] = deque(maxlen=KEPT)

    def add(self, client: str) -> None:
        """Note a wrong key."""
        self._kept.append((time.monotonic(), client))

    def too_many(self, client: str) -> bool:
        """Return whether a client has to wait before it may try again."""
        since = time.monotonic() - SECONDS
        return sum(at > since and who == client for at, who in self._kept) >= MOST

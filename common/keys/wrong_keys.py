"""A limit on the wrong keys that the audit log tells of, or a stranger could keep the store busy."""

from collections import deque

SECONDS = 60.0
MOST = 10  # in `SECONDS`, of all clients together


class WrongKeys:
    """The newest wrong keys of a process that the audit log tells of."""

    def __init__(self) -> None:
        """Begin without any."""
        self._noted: deque[tuple[float, str]] = deque(maxlen=MOST)

    def worth_noting(self, client: str, now: float) -> bool:
        """Return whether to note a wrong key of a client: once a minute, and at most ten times for all clients.

        Args:
            client: its address.
            now: seconds on a clock that never goes back.
        """
        recent = [who for at, who in self._noted if now - at < SECONDS]
        if client in recent or len(recent) == MOST:
            return False
        self._noted.append((now, client))
        return True

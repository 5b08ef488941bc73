"""How often one client may ask."""

import math
import time

from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter


class RateLimit:
    """A limit by client, on a moving window; it belongs to the event loop that it is first asked on."""

    def __init__(self, rate: str) -> None:
        """Allow `rate` to each client, such as 120/minute."""
        self._rate = parse(rate)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def seconds_to_wait(self, client: str) -> int:
        """Return 0 and count it when a client may ask now, else the seconds until it may."""
        if await self._limiter.hit(self._rate, client):
            return 0
        reset, _ = await self._limiter.get_window_stats(self._rate, client)
        return max(math.ceil(reset - time.time()), 1)

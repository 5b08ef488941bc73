"""The duration of a piece of work."""

import time
from collections.abc import Callable


def seconds_of(work: Callable[[], object]) -> float:
    """Do some work; return the seconds that it took by the clock."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start

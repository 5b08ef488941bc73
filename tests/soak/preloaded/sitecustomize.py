"""Lets `time.sleep` sleep under libfaketime.

Python sleeps until a moment of the monotonic clock. libfaketime 0.9.10 gets such a moment wrong where it leaves that
clock as it is: the call fails at once with "Invalid argument".
"""

import select
import time
from typing import SupportsIndex


def sleep(seconds: float | SupportsIndex) -> None:
    """Wait for so many seconds, which `select` counts from now."""
    select.select([], [], [], float(seconds))


time.sleep = sleep

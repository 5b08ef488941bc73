"""Threads that work behind the service's back, and let those that answer go first."""

import os
import sys
import threading

# Of a core that both want, a thread so nice gets a fourth, and what answers the rest: enough to log all that it can
# answer. Without it the slowest of a hundred answers wait for the log, a time slice of the system's: 7 instead of 6 ms.
NICENESS = 5


def give_way() -> None:
    """Let this thread come after others that want the same core."""
    if sys.platform == "linux":  # where each thread has a niceness of its own
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)

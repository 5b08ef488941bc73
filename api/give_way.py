"""Threads that work behind the service's back, and let those that answer go first."""

import os
import sys
import threading

# Of a core that both want, a thread so nice gets a third, and what answers the rest: enough to log all that can be
# answered with a challenger, too; with 4, rows were dropped. Without it the slowest of a hundred answers wait for the
# log, as long as the system's time slices are: 7 instead of 6 ms.
NICENESS = 3


def give_way() -> None:
    """Let this thread come after others that want the same core."""
    if sys.platform == "linux":  # where each thread has a niceness of its own
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)

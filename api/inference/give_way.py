"""Threads that work behind the service's back, and let those that answer go first."""

import os
import sys
import threading

# Enough for the slowest of a hundred answers not to wait for the log as long as the system's time slices are (5.6
# instead of 6.3 ms), and no more: with 2, 64 connections and a challenger left the log too little of a full core.
NICENESS = 1


def give_way() -> None:
    """Let this thread come after others that want the same core."""
    if sys.platform == "linux":  # where each thread has a niceness of its own
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)

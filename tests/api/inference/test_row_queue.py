"""The threads in the background have a lower priority than the answers to requests."""

import os
import sys
import threading

import httpx
import pytest

from api.inference.row_queue import NICENESS
from scripts.parts import wait_for


@pytest.mark.skipif(sys.platform != "linux", reason="other systems know no niceness of a thread")
@pytest.mark.parametrize("name", ["write predictions", "ask the challenger"])
def test_the_log_and_the_challenger_have_a_lower_priority_than_answers(lone_api: httpx.Client, name: str) -> None:
    lone_api.get("/healthz")
    [thread, *_] = [thread.native_id for thread in threading.enumerate() if thread.name == name]
    assert thread is not None
    nicer = min(os.getpriority(os.PRIO_PROCESS, 0) + NICENESS, 19)
    wait_for(f"the niceness of {name}", lambda: os.getpriority(os.PRIO_PROCESS, thread) == nicer, within=5.0)

"""What works behind the service's back comes after what answers."""

import os
import sys
import threading

import httpx
import pytest

from api.inference.give_way import NICENESS
from scripts.parts import wait_for


@pytest.mark.skipif(sys.platform != "linux", reason="other systems know no niceness of a thread")
@pytest.mark.parametrize("name", ["write predictions", "score in the shadow"])
def test_the_log_and_the_shadow_give_way_to_answers(lone_api: httpx.Client, name: str) -> None:
    lone_api.get("/healthz")
    [thread, *_] = [thread.native_id for thread in threading.enumerate() if thread.name == name]
    assert thread is not None
    nicer = min(os.getpriority(os.PRIO_PROCESS, 0) + NICENESS, 19)
    wait_for(f"the niceness of {name}", lambda: os.getpriority(os.PRIO_PROCESS, thread) == nicer, within=5.0)

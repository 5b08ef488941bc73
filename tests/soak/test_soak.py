"""The soak's parts: its plan, its slopes, its page; and a short run of the whole."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from common.settings import PROJECT
from tests.soak.answers import MESSAGE, NO_ANSWER, PREDICTION, Harm, Request, broken, during
from tests.soak.checks import before_kills
from tests.soak.clock import OwnClock
from tests.soak.faults import FAULTS, MISSING, SLOW, slow_disk
from tests.soak.page import LEAK, PAGE, RESULTS, leaks, markdown
from tests.soak.parts import Part
from tests.soak.run import NOT_ON, PARTS, is_well, plan, soak
from tests.soak.samples import Sample, memory, slope


def samples(per_hour: float, *levels: float, noise: float = 0.0) -> list[Sample]:
    """Return samples of lives that begin at these levels and all grow alike."""
    return [
        Sample(9000.0 * life + 2 * tick, life, level + per_hour * 2 * tick / 3600 + noise * (-1) ** (tick // 30), 10, 5)
        for life, level in enumerate(levels)
        for tick in range(900)
    ]


def test_lives_at_different_levels_have_one_slope() -> None:
    found = slope(samples(36.0, 100, 300, 50, noise=0.1), "memory_mb")
    assert found
    assert found.low < 36.0 < found.high
    assert found.high - found.low < 5
    flat = slope(samples(36.0, 100, 300), "files")
    assert flat
    assert (flat.per_hour, flat.low, flat.high) == (0, 0, 0)


def test_the_first_ten_minutes_of_a_life_do_not_count() -> None:
    assert slope(samples(36.0, 100)[:550], "memory_mb") is None
    warm = [each._replace(memory_mb=100 + max(0, 600 - 2 * tick)) for tick, each in enumerate(samples(0, 100))]
    assert slope(warm, "memory_mb") == slope(samples(0, 100), "memory_mb")


def test_a_part_may_have_a_longer_warm_up() -> None:
    warm = [each._replace(memory_mb=100 + min(tick, 600)) for tick, each in enumerate(samples(0, 100))]
    assert slope(warm, "memory_mb", 1200) == slope(samples(0, 100), "memory_mb", 1200)
    growing = slope(warm, "memory_mb")
    assert growing
    assert growing.low > 0


def test_a_child_process_of_some_seconds_is_no_growth() -> None:
    flat = samples(0, 100)
    beside = [each._replace(memory_mb=200) if tick % 300 > 288 else each for tick, each in enumerate(flat)]
    assert slope(beside, "memory_mb") == slope(flat, "memory_mb")


def test_memory_is_the_median_of_chosen_minutes_and_of_the_last_one() -> None:
    rising = [Sample(1000 + 2 * tick, 1, tick, 10, 5) for tick in range(100)]
    assert memory(rising, (1, 3, 10)) == [14.5, 74.5, None, 84.5]


def test_a_plan_follows_from_its_seed_and_ends_before_the_calm() -> None:
    made = plan(3600, 200, 1)
    assert made == plan(3600, 200, 1) != plan(3600, 200, 2)
    assert all(at <= 1800 for at, *_ in made)
    kills = [part for _, part, fault in made if fault == "kill"]
    assert len(kills) == 200
    assert {kills.count(part) // 33 for part in PARTS} == {1}
    others = [(part, fault) for _, part, fault in made if fault != "kill"]
    assert {fault for _, fault in others} == FAULTS.keys() - MISSING.keys() - {"kill"}
    assert {others.count(each) for each in others} == {3}
    assert not NOT_ON & set(others)


def test_only_kills_take_predictions_and_only_those_of_the_last_moment() -> None:
    harms = [
        Harm("postgresql", "kill", 100, 101, 103),
        Harm("api", "kill", 105, 105.5, 107),
        Harm("api", "stall", 200, 203, 203),
        Harm("postgresql", "stall", 300, 303, 303),
        Harm("postgresql", "slow disk", 306, 311, 311),
        Harm("api", "kill", 313, 314, 315),  # for both
        Harm("postgresql", "kill", 400, 401, 403),
        Harm("api", "kill", 420, 421, 422),
    ]
    assert before_kills(harms) == [(98, 101), (103, 105.5), (311, 314), (398, 401), (418, 421)]


def test_a_request_belongs_to_the_last_fault_that_began_before_its_end() -> None:
    harms = [Harm("mlflow", "kill", 10, 11, 20), Harm("api", "kill", 20, 21, 25)]
    requests = [
        Request(8, 9, PREDICTION, NO_ANSWER),
        Request(9, 10.5, PREDICTION, "200"),
        Request(12, 13, MESSAGE, "404"),
        Request(19, 20.5, MESSAGE, NO_ANSWER),
        Request(19, 22, PREDICTION, "500"),
        Request(22, 23, MESSAGE, "503"),
        Request(24, 27, PREDICTION, "200"),
        Request(26, 27, PREDICTION, NO_ANSWER),
    ]
    assert during(harms, reversed(requests)) == [
        {PREDICTION: {"answered": 1}, MESSAGE: {"answered": 1}},
        {PREDICTION: {"failed": 1, "answered": 1}, MESSAGE: {"refused": 1, "failed": 1}},
    ]


def test_only_faults_of_the_api_and_for_messages_of_postgresql_may_cost_an_answer() -> None:
    cost = {PREDICTION: {"answered": 5, "failed": 1}, MESSAGE: {"refused": 2}}
    faults = [{"part": part, "fault": "kill"} | cost for part in ("api", "postgresql", "monitor")]
    assert broken(faults) == [
        "postgresql, kill: 1 of the predictions failed",
        "monitor, kill: 1 of the predictions failed",
        "monitor, kill: 2 of the messages got a 503",
    ]


@pytest.fixture
def programs() -> None:
    """The programs of all faults; without them the test fails in CI and is skipped elsewhere."""
    if MISSING:
        must_run = os.environ.get("CI") and sys.platform != "darwin"  # strace and faketime cannot be had on macOS
        (pytest.fail if must_run else pytest.skip)(f"not installed: {', '.join(set(MISSING.values()))}")


@pytest.mark.usefixtures("programs")
def test_a_part_sees_its_own_clock_set_forward_and_back_and_right_again(tmp_path: Path) -> None:
    clock = OwnClock(tmp_path / "clock")
    look = [sys.executable, "-c", "import time; print(time.time())"]

    def ahead() -> float:
        output = subprocess.run(look, env=os.environ | clock.environment(), capture_output=True, check=True).stdout
        return float(output) - time.time()

    for seconds in (0, 300, -300, 0):
        clock.set(seconds)
        assert ahead() == pytest.approx(seconds, abs=20)


@pytest.mark.usefixtures("programs")
def test_a_part_with_its_own_clock_sleeps_as_long_as_it_wants(tmp_path: Path) -> None:
    sleeps = "import time; begun = time.monotonic(); time.sleep(0.3); print(time.monotonic() - begun)"
    environment = os.environ | OwnClock(tmp_path / "clock").environment()
    output = subprocess.run([sys.executable, "-c", sleeps], env=environment, capture_output=True, check=True).stdout
    assert 0.29 < float(output) < 3


WRITER = """
import os, sys, time
with open(sys.argv[1], "ab") as file:
    while True:
        begun = time.monotonic()
        file.write(b"x")
        file.flush()
        os.fsync(file.fileno())
        print(time.monotonic() - begun, flush=True)
"""


class Writer(Part):
    """A process that waits for the disk again and again, and says how long."""

    def __init__(self, started: "subprocess.Popen[bytes]") -> None:
        self._started = started


@pytest.mark.usefixtures("programs")
def test_a_slow_disk_makes_each_wait_for_it_longer_until_the_fault_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "file")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout
        try:
            next(started.stdout)
            slow_disk(Writer(started), 1.5)  # type: ignore[arg-type]
            after = [float(next(started.stdout)) for _ in range(200)]
        finally:
            started.kill()
    assert sum(seconds > SLOW / 1e6 for seconds in after) >= 3
    assert sum(seconds < SLOW / 2e6 for seconds in after[-20:]) >= 15


def test_the_page_is_made_of_the_last_results_and_nothing_was_lost() -> None:
    result: dict[str, Any] = json.loads((PROJECT / RESULTS).read_text(encoding="utf-8"))
    assert (PROJECT / PAGE).read_text(encoding="utf-8") == markdown(result)
    assert is_well(result)


def test_growth_is_a_leak_when_it_is_surely_above_its_limit() -> None:
    some = {
        "api": samples(36.0, 100, noise=0.1),
        "monitor": samples(9.0, 100),
        "worker": samples(12.0, 100, 200, noise=10.0),  # too noisy to be sure
    }
    grown = {part: {measure: slope(found, measure) for measure in LEAK} for part, found in some.items()}
    [leak] = leaks({"growth": grown})
    assert leak.startswith("api grows: memory_mb +3")


@pytest.mark.thorough
def test_half_a_minute_of_faults_loses_and_doubles_nothing() -> None:
    result = soak(30, 4, 7, print)
    assert is_well(result), result["checked"]
    assert result["checked"]["predictions"] > 50
    assert [each["fault"] for each in result["faults"]].count("kill") == 4
    assert markdown(result)

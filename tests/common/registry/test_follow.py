"""Looks at the registry at regular intervals, and the pauses after a version that could not be loaded."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import repeat

import pytest

from common.registry.client import RegistryError, RegistryUnavailableError, Version
from common.registry.follow import RegistryFollower, RetryPauses

FIRST, SECOND = (Version("IrisModel", number, f"models:/{number}", {}) for number in (1, 2))


class AwayError(RuntimeError):
    """The error of another service that the look needs."""


def follow_while(errors: Sequence[Exception | None]) -> tuple[list[float], int]:
    """Follow until the errors have been raised, one a look; return the pauses after them and the unexpected errors."""
    left = iter(errors)
    unexpected = 0
    pauses: list[float] = []

    async def run() -> None:
        over = asyncio.Event()

        class Follower(RegistryFollower):
            async def _look(self) -> None:
                if error := next(left):
                    raise error

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == len(errors):
                over.set()
                await asyncio.Event().wait()

        def count() -> None:
            nonlocal unexpected
            unexpected += 1

        follower = Follower("the champion", 1.0, AwayError, count)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio, "sleep", sleep)
            await follower.start()
            await asyncio.wait_for(over.wait(), 5)
            await follower.stop()

    asyncio.run(run())
    return pauses, unexpected


def test_it_looks_again_after_each_pause() -> None:
    assert follow_while([None, None, None]) == ([1, 1, 1], 0)


def test_an_outage_is_logged_at_its_beginning_and_its_end(caplog: pytest.LogCaptureFixture) -> None:
    away = [RegistryUnavailableError("no MLflow"), RegistryUnavailableError("still no MLflow"), AwayError("no store")]
    with caplog.at_level(logging.WARNING):
        assert follow_while([None, *away, None, None]) == ([1] * 6, 0)
    assert [record.getMessage() for record in caplog.records] == [
        "the champion cannot be updated until MLflow and the store work: no MLflow",
        "the champion cannot be updated until MLflow and the store work: no store",
        "the champion can be updated again",
    ]


def test_unexpected_errors_are_counted_and_double_the_pause_up_to_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    errors = [*repeat(ZeroDivisionError("a mistake"), 7), RegistryError("no answer"), None]
    assert follow_while(errors) == ([2, 4, 8, 16, 32, 60, 60, 60, 1], 7)
    assert "ZeroDivisionError: a mistake" in caplog.text


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def fail(pauses: RetryPauses, version: Version, clock: list[float], seconds: float = 0.0) -> float:
    """Let a version fail after so many seconds; return the pause that follows."""
    with suppress(ValueError), pauses.attempt(version):
        clock[0] += seconds
        raise ValueError("damaged")
    assert not pauses.over(version)
    began = clock[0]
    while not pauses.over(version):
        clock[0] += 0.5
    return clock[0] - began


def test_a_version_that_fails_again_waits_twice_as_long_up_to_a_minute(clock: list[float]) -> None:
    pauses = RetryPauses(1.0)
    assert pauses.over(FIRST)
    assert [fail(pauses, FIRST, clock) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_version_that_takes_long_to_fail_waits_ten_times_as_long_up_to_two_minutes(clock: list[float]) -> None:
    pauses = RetryPauses(1.0)
    assert [fail(pauses, FIRST, clock, seconds) for seconds in (3, 20)] == [30, 120]


def test_another_version_does_not_wait_and_starts_with_the_first_pause(clock: list[float]) -> None:
    pauses = RetryPauses(1.0)
    assert [fail(pauses, FIRST, clock) for _ in range(2)] == [1, 2]
    with pytest.raises(ValueError, match="damaged"), pauses.attempt(FIRST):
        raise ValueError("damaged")
    assert not pauses.over(FIRST)
    assert pauses.over(SECOND)
    assert fail(pauses, SECOND, clock) == 1
    with pauses.attempt(SECOND):
        pass
    assert pauses.over(SECOND)

"""The soak's parts: its plan, its slopes, its page; and a short run of the whole."""

import json
from typing import Any

import pytest

from common.settings import PROJECT
from tests.soak.page import PAGE, RESULTS, markdown
from tests.soak.run import PARTS, is_well, plan, soak
from tests.soak.samples import Sample, slope


def samples(per_hour: float, *levels: float, noise: float = 0.0) -> list[Sample]:
    """Return samples of lives that begin at these levels and all grow alike."""
    return [
        Sample(1000 * life + 2 * tick, life, level + per_hour * 2 * tick / 3600 + noise * (-1) ** tick, 10, 5)
        for life, level in enumerate(levels)
        for tick in range(60)
    ]


def test_lives_at_different_levels_have_one_slope() -> None:
    found = slope(samples(36.0, 100, 300, 50, noise=0.1), "memory_mb")
    assert found
    assert found.low < 36.0 < found.high
    assert found.high - found.low < 5
    flat = slope(samples(36.0, 100, 300), "files")
    assert flat
    assert (flat.per_hour, flat.low, flat.high) == (0, 0, 0)


def test_the_first_half_minute_of_a_life_does_not_count() -> None:
    assert slope(samples(36.0, 100)[:15], "memory_mb") is None
    warm = [each._replace(memory_mb=100 + max(0, 30 - 2 * tick)) for tick, each in enumerate(samples(0, 100))]
    assert slope(warm, "memory_mb") == slope(samples(0, 100), "memory_mb")


def test_a_plan_follows_from_its_seed_and_ends_before_the_calm() -> None:
    made = plan(3600, 200, 1)
    assert made == plan(3600, 200, 1) != plan(3600, 200, 2)
    assert all(at <= 2400 for at, *_ in made)
    kills = [part for _, part, fault in made if fault == "kill"]
    assert len(kills) == 200
    assert {kills.count(part) // 33 for part in PARTS} == {1}
    assert {fault for *_, fault in made} == {"kill", "full disk", "stall"}


def test_the_page_is_made_of_the_last_results_and_nothing_was_lost() -> None:
    result: dict[str, Any] = json.loads((PROJECT / RESULTS).read_text(encoding="utf-8"))
    assert (PROJECT / PAGE).read_text(encoding="utf-8") == markdown(result)
    assert is_well(result)


@pytest.mark.thorough
def test_half_a_minute_of_faults_loses_and_doubles_nothing() -> None:
    result = soak(30, 4, 7, print)
    assert is_well(result), result["checked"]
    assert result["checked"]["predictions"] > 50
    assert [each["fault"] for each in result["faults"]].count("kill") == 4
    assert markdown(result)

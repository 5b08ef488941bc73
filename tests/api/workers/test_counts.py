"""Counts in a file: what prometheus_client counts there is what it counts in memory, and a successor counts on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, generate_latest, values
from prometheus_client.values import MutexValue

from api.workers.counts import CELLS, Cells, SharedValue, cell_name, count_in, totals
from api.workers.shared import Shared


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test sets is not what other tests count in."""
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)


def total(folder: Path, metric: str) -> float:
    (sample,) = totals(folder)[metric]
    return float(sample.value)


class Counted:
    """One metric of each kind."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.plain = Counter("plain", "A counter.", registry=self.registry)
        self.labelled = Counter("labelled", "With labels.", ["a", "b"], registry=self.registry)
        self.timed = Histogram("timed", "A histogram.", ["a"], registry=self.registry, buckets=(0.1, 1, 10))
        self.sized = Summary("sized", "A summary.", registry=self.registry)
        self.shown = Gauge("shown", "A gauge.", ["role"], registry=self.registry)

    def count(self, seconds: Sequence[float], name: str) -> None:
        for each in seconds:
            self.plain.inc()
            self.labelled.labels(name, 'with " and \n').inc(each)
            self.timed.labels(name).observe(each)
            self.sized.observe(each)


def text(registry: CollectorRegistry) -> list[str]:
    """Return what Prometheus is told, but for when a metric was made, and in an order of its own."""
    lines = generate_latest(registry).decode().splitlines()
    return sorted(line for line in lines if "_created" not in line and "process_" not in line)


def test_workers_together_count_what_one_process_counts(tmp_path: Path) -> None:
    seconds = np.random.default_rng(0).integers(0, 64, 300) / 4  # sums of these are exact in any order
    alone, together = Counted(), []
    alone.shown.labels("champion").set(7)
    for slot in range(3):
        alone.count(seconds[slot::3].tolist(), f"name {slot % 2}")
    for slot in range(3):
        shared = Shared(tmp_path, slot)
        counted = Counted()
        together.append(shared.shown(counted.registry))
        counted.count(seconds[slot::3].tolist(), f"name {slot % 2}")
    counted.shown.labels("champion").set(7)
    shared.publish()
    for registry in together:
        assert text(registry) == text(alone.registry)


def test_a_successor_counts_on_and_others_are_summed(tmp_path: Path) -> None:
    for _ in range(3):
        SharedValue(Cells(tmp_path, 0).cell(b'["m", "m_total", {}]')).inc(2)
    SharedValue(Cells(tmp_path, 1).cell(b'["m", "m_total", {}]')).inc(0.5)
    assert total(tmp_path, "m") == 6.5


def test_a_name_that_was_not_written_to_its_end_is_no_name(tmp_path: Path) -> None:
    Cells(tmp_path, 0).cell(cell_name("m", "m_total", {}))[0] = 3
    with (tmp_path / "0.names").open("ab") as names:
        names.write(cell_name("torn", "torn_total", {})[:9])
    assert totals(tmp_path).keys() == {"m"}
    Cells(tmp_path, 0).cell(cell_name("next", "next_total", {}))[0] = 4
    assert (total(tmp_path, "m"), total(tmp_path, "next")) == (3, 4)


def test_there_is_room_for_more_than_one_piece(tmp_path: Path) -> None:
    names = [cell_name("m", "m_total", {"n": str(number)}) for number in range(2 * CELLS + 1)]
    cells = Cells(tmp_path, 0)
    for number, name in enumerate(names):
        cells.cell(name)[0] = number
    again = Cells(tmp_path, 0)
    assert [again.cell(name)[0] for name in names] == list(range(2 * CELLS + 1))
    assert sorted(sample.value for sample in totals(tmp_path)["m"]) == list(range(2 * CELLS + 1))


def test_gauges_are_not_kept(tmp_path: Path) -> None:
    count_in(Cells(tmp_path, 0))
    gauge = Gauge("g", "A gauge.", registry=None)
    gauge.set(3)
    assert isinstance(gauge._value, MutexValue)
    assert totals(tmp_path) == {}

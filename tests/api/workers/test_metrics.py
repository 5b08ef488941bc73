"""Metrics of several workers as one service's: counts are summed and survive, gauges are those of live workers."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import generate_latest, values
from prometheus_client.multiprocess import mark_process_dead
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from api.metrics.declared import Metrics
from api.workers.metrics import SharedMetrics
from common.registry.client import Version
from common.store.tables import Role


@pytest.fixture(autouse=True)
def plain_values_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's metrics change both; other tests of this process count in plain values."""
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")


class Worker:
    """The metrics of one worker; several of them share this process, so each sets its own class of values."""

    def __init__(self, folder: Path, slot: int) -> None:
        self.metrics = SharedMetrics(folder, slot)
        self._values = values.ValueClass

    @contextmanager
    def acts(self) -> Iterator[SharedMetrics]:
        values.ValueClass = self._values
        yield self.metrics
        self.metrics.publish()

    def serves(self, number: int, role: Role = "champion") -> None:
        with self.acts() as metrics:
            metrics.serves(Version("M", number, "", {"test_f1": f"0.{number}"}), role)


def samples(metrics: Metrics, name: str) -> list[Sample]:
    text = generate_latest(metrics.shown).decode()
    return [s for family in text_string_to_metric_families(text) for s in family.samples if s.name == name]


def roles(metrics: Metrics, name: str) -> dict[str, float]:
    return {sample.labels["role"]: sample.value for sample in samples(metrics, name)}


def infos(metrics: Metrics) -> list[tuple[str, str]]:
    return sorted((s.labels["role"], s.labels["model_version"]) for s in samples(metrics, "model_info"))


def count(metrics: Metrics, seconds: list[float], name: str) -> None:
    for each in seconds:
        metrics.log_rows.inc(each)
        metrics.predicted.labels(f'{name} with " and \n').inc()
        route = metrics.http._route("POST", f"/{name}", "2xx")
        route.uncounted.append((each, 3, 5))
        metrics.http._count(route)


def counted(metrics: Metrics) -> list[str]:
    """Return the lines of `/metrics`, without those that a process has for itself, in an order of their own."""
    lines = generate_latest(metrics.shown).decode().splitlines()
    return sorted(line for line in lines if "_created" not in line and "process_" not in line)


def test_workers_together_count_as_one_process_does(tmp_path: Path) -> None:
    seconds = np.random.default_rng(0).integers(0, 64, 300) / 4  # sums of these are exact in any order
    shares = [(seconds[slot::3].tolist(), f"name {slot % 2}") for slot in range(3)]
    alone = Metrics()
    for share in shares:
        count(alone, *share)
    workers = [Worker(tmp_path, slot) for slot in range(3)]
    for worker, share in zip(workers, shares, strict=True):
        with worker.acts() as metrics:
            count(metrics, *share)
    for worker in workers:
        assert counted(worker.metrics) == counted(alone)


def test_the_successor_of_a_dead_worker_counts_on(tmp_path: Path) -> None:
    for slot in (0, 1, 0):  # the third is the successor of the first
        mark_process_dead(slot, tmp_path)  # type: ignore[no-untyped-call]
        with Worker(tmp_path, slot).acts() as metrics:
            metrics.log_rows.inc(5)
            metrics.log_waiting.set_function(lambda: 2)
            [rows], [waiting] = (samples(metrics, f"prediction_log_{name}") for name in ("rows_total", "waiting_rows"))
    assert (rows.value, waiting.value) == (15, 4)


def test_the_version_of_the_last_swap_is_shown_alone(tmp_path: Path) -> None:
    workers = [Worker(tmp_path, 0), Worker(tmp_path, 1)]
    for version in (2, 3, 1):
        for worker in workers:
            worker.serves(version)
            for each in workers:  # also by the worker that is one version behind
                assert roles(each.metrics, "served_model_version") == {"champion": version}
                assert roles(each.metrics, "model_test_f1_ratio") == {"champion": version / 10}
                assert infos(each.metrics) == [("champion", f"{version}")]


def test_a_challenger_that_one_worker_has_dropped_is_gone(tmp_path: Path) -> None:
    one, other = Worker(tmp_path, 0), Worker(tmp_path, 1)
    for worker in (one, other):
        worker.serves(1)
        worker.serves(2, "shadow")
    assert infos(one.metrics) == [("champion", "1"), ("shadow", "2")]
    with one.acts() as metrics:
        metrics.serves_none("M", "shadow")
    assert infos(other.metrics) == [("champion", "1")]
    assert roles(other.metrics, "served_model_version") == {"champion": 1}


def test_a_worker_without_a_model_hides_no_version_and_a_dead_one_shows_none(tmp_path: Path) -> None:
    Worker(tmp_path, 0).serves(1)
    idle = Worker(tmp_path, 1).metrics
    assert infos(idle) == [("champion", "1")]
    mark_process_dead(0, tmp_path)  # type: ignore[no-untyped-call]
    assert infos(idle) == []


def test_gauges_of_workers_become_one_number_by_their_mode(tmp_path: Path) -> None:
    for slot, number in enumerate((3, 5, 4)):
        with Worker(tmp_path, slot).acts() as metrics:
            metrics.log_waiting.set_function(lambda number=number: number)
            metrics.log_lag.set_function(lambda number=number: number)
    shown = {name: samples(metrics, f"prediction_log_{name}")[0].value for name in ("waiting_rows", "lag_seconds")}
    assert shown == {"waiting_rows": 12, "lag_seconds": 5}
    [mine] = [family for family in metrics.registry.collect() if family.name == "process_start_time_seconds"]
    assert samples(metrics, "process_start_time_seconds")[0].value == mine.samples[0].value
    [files] = [family for family in metrics.registry.collect() if family.name == "process_max_fds"]
    assert samples(metrics, "process_max_fds")[0].value == 3 * files.samples[0].value

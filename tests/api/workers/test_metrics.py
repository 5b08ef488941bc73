"""Metrics of several workers as one service's: counts are summed and survive, gauges are those of live workers."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

import pytest
from fastapi import FastAPI
from prometheus_client import generate_latest, values
from prometheus_client.multiprocess import mark_process_dead
from prometheus_client.parser import text_string_to_metric_families

from api.metrics.declared import Metrics
from api.metrics.http import HttpMetrics
from api.workers.metrics import SharedMetrics
from common.registry.client import Version
from common.store.tables import Role


@pytest.fixture(autouse=True)
def plain_values_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo both changes that a worker's metrics make to this process."""
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "a worker's folder")
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR")


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


@pytest.fixture
def workers(tmp_path: Path) -> list[Worker]:
    return [Worker(tmp_path, slot) for slot in range(3)]


def shown(metrics: Metrics, name: str, label: str = "role") -> dict[str, float]:
    """Return the values of a metric by one of its labels."""
    families = text_string_to_metric_families(generate_latest(metrics.shown).decode())
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    found = {sample.labels.get(label, ""): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


@cache
def http_metrics(metrics: Metrics) -> HttpMetrics:
    return HttpMetrics(FastAPI(), metrics.registry)


def count(metrics: Metrics, seconds: float, name: str) -> None:
    metrics.log_rows.inc(seconds)
    metrics.predicted.labels(f'{name} with " and \n').inc()
    http = http_metrics(metrics)
    route = http._route("POST", f"/{name}", "2xx")
    route.uncounted.append((seconds, 3, 5))
    http._count(route)


def counted(metrics: Metrics) -> list[str]:
    """Return the lines of `/metrics` that do not depend on the process, in an order of their own."""
    lines = generate_latest(metrics.shown).decode().splitlines()
    return sorted(line for line in lines if "_created" not in line and "process_" not in line)


def test_workers_together_count_as_one_process_does(tmp_path: Path) -> None:
    alone, seconds = Metrics(), [number % 64 / 4 for number in range(300)]  # sums of these are exact in any order
    for number, each in enumerate(seconds):
        count(alone, each, f"name {number % 2}")
    workers = [Worker(tmp_path, slot) for slot in range(3)]
    for number, each in enumerate(seconds):
        with workers[number % 3].acts() as metrics:
            count(metrics, each, f"name {number % 2}")
    for worker in workers:
        assert counted(worker.metrics) == counted(alone)


def test_the_successor_of_a_dead_worker_counts_on(tmp_path: Path) -> None:
    for slot in (0, 1, 0):  # the third is the successor of the first
        mark_process_dead(slot, tmp_path)  # type: ignore[no-untyped-call]
        with Worker(tmp_path, slot).acts() as metrics:
            metrics.log_rows.inc(5)
            metrics.log_waiting.set_function(lambda: 2)
    assert shown(metrics, "prediction_log_rows_total") == {"": 15}
    assert shown(metrics, "prediction_log_waiting_rows") == {"": 4}


def test_the_version_of_the_last_swap_is_shown_alone(workers: list[Worker]) -> None:
    for version in (2, 3, 1):
        for worker in workers[:2]:
            worker.serves(version)
            for each in workers:  # also by the worker that is one version behind, and the one that has none
                assert shown(each.metrics, "served_model_version") == {"champion": version}
                assert shown(each.metrics, "model_test_f1_ratio") == {"champion": version / 10}
                assert shown(each.metrics, "model_info", "model_version") == {f"{version}": 1}


def test_a_challenger_that_one_worker_has_dropped_is_gone_and_so_is_the_version_of_dead_workers(
    workers: list[Worker], tmp_path: Path
) -> None:
    for worker in workers[:2]:
        worker.serves(1)
        worker.serves(2, "shadow")
    assert shown(workers[1].metrics, "model_info", "model_version") == {"1": 1, "2": 1}
    with workers[0].acts() as metrics:
        metrics.serves_none("M", "shadow")
    for name in ("served_model_version", "model_info"):
        assert shown(workers[1].metrics, name) == {"champion": 1}
    for slot in range(2):
        mark_process_dead(slot, tmp_path)  # type: ignore[no-untyped-call]
    assert shown(workers[2].metrics, "model_info") == {}


def test_gauges_of_workers_become_one_number_by_their_mode(workers: list[Worker]) -> None:
    for worker, number in zip(workers, (3, 5, 4), strict=True):
        with worker.acts() as metrics:
            metrics.log_waiting.set_function(partial(float, number))
            metrics.log_lag.set_function(partial(float, number))
    assert shown(metrics, "prediction_log_waiting_rows") == {"": 12}
    assert shown(metrics, "prediction_log_lag_seconds") == {"": 5}
    of_one = {
        family.name: family.samples[0].value for family in metrics.registry.collect() if "process_" in family.name
    }
    assert shown(metrics, "process_start_time_seconds") == {"": of_one["process_start_time_seconds"]}
    assert shown(metrics, "process_max_fds") == {"": 3 * of_one["process_max_fds"]}

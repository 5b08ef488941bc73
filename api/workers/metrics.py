"""Metrics of several workers, shown as one service's: prometheus_client's multiprocess mode.

Each worker keeps its metrics in files in a shared folder. The files are named by the worker's slot instead of its
process id, so that the successor of a dead worker counts on in them.
"""

import math
import os
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, Metric, ProcessCollector, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from api.metrics.declared import Metrics

START = "process_start_time_seconds"  # shown of the oldest worker; other gauges of processes are summed


class SharedMetrics(Metrics, Collector):
    """The metrics of one worker; `shown` adds those of all others."""

    def __init__(self, folder: Path, slot: int) -> None:
        """Count in the files of this slot, from the values that an earlier worker left there."""
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
        values.ValueClass = values.MultiProcessValue(process_identifier=lambda: slot)  # type: ignore[no-untyped-call]
        super().__init__()
        self.shown = CollectorRegistry()
        self.shown.register(self)
        self._folder = folder
        self._lock = Lock()
        self._process = ProcessCollector(registry=None)
        self._gauges = {
            family.name: Gauge(
                family.name,
                family.documentation,
                registry=None,
                multiprocess_mode="livemin" if family.name == START else "livesum",
            )
            for family in self._process.collect()
            if family.type == "gauge"
        }
        self._cpu = Counter("process_cpu_seconds", "Total user and system CPU time spent in seconds.", registry=None)
        self._cpu_counted = 0.0

    def remove(self, gauge: Gauge, labels: dict[str, str]) -> None:
        """Set the series to NaN, which `collect` leaves out: a series cannot be taken out of the files."""
        for family in gauge.collect():
            for sample in family.samples:
                if labels.items() <= sample.labels.items():
                    gauge.labels(**sample.labels).set(math.nan)

    def publish(self) -> None:
        """Write the values that are computed when they are read into the files, where the other workers see them."""
        with self._lock:
            for gauge in (self.log_waiting, self.log_lag):
                [computed] = gauge.collect()
                gauge.set(computed.samples[0].value)
            for family in self._process.collect():
                value = family.samples[0].value
                if family.type == "gauge":
                    self._gauges[family.name].set(value)
                else:
                    self._cpu.inc(value - self._cpu_counted)
                    self._cpu_counted = value

    def collect(self) -> Iterable[Metric]:
        """Yield every metric, of all workers together."""
        self.publish()
        # The sum of floats depends on their order: in another order a counter could go back by its last bit.
        files = sorted(map(str, self._folder.glob("*.db")))
        merged = {family.name: family for family in MultiProcessCollector.merge(files)}  # type: ignore[no-untyped-call]
        for declared in self.registry.collect():
            family = merged.get(declared.name, declared)
            family.samples = [sample for sample in family.samples if not math.isnan(sample.value)]
            yield family

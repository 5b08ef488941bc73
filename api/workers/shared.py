"""What the workers of one service have in common: a folder that lasts as long as the service does."""

from collections.abc import Iterable
from pathlib import Path
from threading import Lock

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector

from api.workers.counts import Cells, SharedValue, cell_name, count_in, cumulated, totals
from api.workers.gauges import Gauges, together
from api.workers.limit import SOCKET, ask

CPU = "process_cpu_seconds"  # the one counter that is not counted but read from the system


class Shared(Collector):
    """One worker's part in it. To be made before any metric is, since it says where they are kept."""

    def __init__(self, folder: Path, slot: int) -> None:
        """Take a place, the one of a worker that has ended, or a new one."""
        self._folder = folder
        cells = Cells(folder, slot)
        count_in(cells)
        self._gauges = Gauges(gauges_path(folder, slot))
        self._cpu = SharedValue(cells.cell(cell_name(CPU, f"{CPU}_total", {})))
        self._cpu_before = self._cpu.get()
        self._lock = Lock()
        self._registry = CollectorRegistry()

    def shown(self, registry: CollectorRegistry) -> CollectorRegistry:
        """Return what is to be shown to Prometheus: the metrics of `registry`, of all workers together."""
        self._registry = registry
        everybody = CollectorRegistry()
        everybody.register(self)
        return everybody

    def publish(self) -> list[Metric]:
        """Let the others see what this worker's gauges say now, and its time on a core; return its own metrics."""
        with self._lock:  # or a counter could go back
            own = list(self._registry.collect())
            self._gauges.publish([family for family in own if family.type == "gauge"])
            for family in own:
                if family.name == CPU:
                    self._cpu.set(self._cpu_before + family.samples[0].value)
        return own

    def collect(self) -> Iterable[Metric]:
        """Yield every metric, of all workers together."""
        own = self.publish()
        counts, gauges = totals(self._folder), together(self._folder)
        for family in own:
            samples = (gauges if family.type == "gauge" else counts).get(family.name, [])
            metric = Metric(family.name, family.documentation, family.type)
            metric.samples = cumulated(samples) if family.type == "histogram" else samples
            yield metric

    async def seconds_to_wait(self, client: str) -> int:
        """Take in a correction of a client; return 0, or the seconds to wait if it sends too many to all workers."""
        return await ask(self._folder / SOCKET, client)


def gauges_path(folder: Path, slot: int) -> Path:
    """Return the file that is there while the worker in this place is ready."""
    return folder / f"{slot}.gauges"

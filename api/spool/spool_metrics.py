"""The metrics of the spool."""

from prometheus_client import Gauge

from api.metrics.declared import Metrics


class SpoolMetrics:
    """Whether the store is away, and what the spool has kept and brought in."""

    def __init__(self, metrics: Metrics) -> None:
        """Declare them in `metrics`."""
        self._away = Gauge(
            "store_away", "1 while the store cannot be opened and the spool keeps what the api is told.",
            registry=metrics.registry, multiprocess_mode="livemax",
        )  # fmt: skip
        self._bytes = Gauge("spool_bytes", "Size of the spool.", registry=metrics.registry, multiprocess_mode="livemax")
        self.kept = metrics.counter("spool_kept", "Predictions, ground truths and corrections in the spool.", "kind")
        self.brought_in = metrics.counter("spool_brought_in", "Of these, the ones that are in the store now.", "kind")
        self.refused = metrics.counter("spool_refused", "Of these, the ones that the store did not take.", "kind")

        self.shows(away=False, size=0)  # a worker before may have left other values in the shared files

    def shows(self, *, away: bool, size: int) -> None:
        """Show whether the store is away, and the bytes of the spool."""
        self._away.set(away)
        self._bytes.set(size)

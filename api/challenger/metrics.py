"""The metrics of the challenger's answers."""

from api.metrics.declared import Metrics


class ShadowMetrics:
    """Counters of rows, in the registry of an application."""

    def __init__(self, metrics: Metrics) -> None:
        """Declare them."""
        self.rows = metrics.counter("shadow_predictions", "Rows that the challenger has answered.")
        self.failures = metrics.counter("shadow_failures", "Rows that the challenger could not answer.")
        self.dropped = metrics.counter("shadow_dropped", "Rows not sent to the challenger, which is too slow.")

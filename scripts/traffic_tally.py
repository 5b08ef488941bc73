"""The counts of a traffic, and the table that shows them."""

import math
from collections import Counter, deque
from dataclasses import dataclass, field

import numpy as np
from rich.table import Table as Grid


@dataclass
class TrafficTally:
    """Counts of a traffic; each prediction that was sent is answered or failed.

    Attributes:
        sent: number of rows sent to /predict.
        answered: number of rows with an answer.
        failed: number of failed requests by route and status, such as "/feedback 401" or "/predict no answer".
        skipped: number of requests that were not sent, because they were late or too many were in flight.
        labels: number of feedback messages, with the wrong ones.
        wrong_labels: number of feedback messages with a class that is not true.
        outliers: number of answered rows that were outliers.
        seconds: time since the start.
        latencies: of the last answers, as (seconds since the start, seconds it took).
    """

    sent: int = 0
    answered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    labels: int = 0
    wrong_labels: int = 0
    outliers: int = 0
    seconds: float = 0.0
    latencies: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=10_000), repr=False)

    def grid(self, last: float = math.inf) -> Grid:
        """Return the counts as a table; speed and latency are those of the `last` seconds."""
        recent = [seconds for moment, seconds in self.latencies if moment > self.seconds - last]
        newest = self.latencies[-1][0] if self.latencies else math.inf
        pace = len(recent) / last if last < self.seconds else self.answered / newest
        median, slow = np.percentile(recent or [math.nan], (50, 99)) * 1e3
        grid = Grid("", f"after {self.seconds:.1f} s")
        grid.add_row("requests", f"{self.sent}")
        grid.add_row("answers", f"{self.answered}, {pace:.1f}/s")
        grid.add_row("p50, p99", f"{median:.1f} ms, {slow:.1f} ms")
        grid.add_row("labels", f"{self.labels}, {self.wrong_labels} of them wrong")
        grid.add_row("outliers", f"{self.outliers}")
        grid.add_row("skipped", f"{self.skipped} requests and labels")
        grid.add_row("failed", "\n".join(f"{name}: {count}" for name, count in sorted(self.failed.items())) or "0")
        return grid

"""The attack suite, liars and honest people against vetting, gate and promotion: its bars and its statistics.

`python -m benchmarks.run attacks` measures the parts: `attacks_rows`, `attacks_changed`, `attacks_streams` and
`attacks_liar`, each with a result of its own. All labs are simulated, with the functions that serve.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from benchmarks.more.judging import CANCER, IRIS, TRAVEL
from common.evaluate import wilson

BEFORE = (200, 1_000)  # ground truths and other predictions before the first corrections
CRUDE = ("random flips", "far out", "duplicates", "contradictions")
STOPPED = 0.7  # of crude lies, at least
# Shares of good rows that may wait for a review, at most.
GOOD_STOPPED = {IRIS: 0.03, CANCER: 0.09, TRAVEL: 0.02}
PROBLEMS = tuple(GOOD_STOPPED)
INTERVALS = (
    "Brackets are 95 % intervals: Student's for means, Wilson's for shares, wider where labs differ more than chance "
    "alone would let them (the rows of one lab are not independent)."
)
Counts = Sequence[tuple[int, int]]  # of each lab: how many of how many


@dataclass(frozen=True)
class Shares:
    """How many of how many, over labs."""

    counts: Counts

    @property
    def hits(self) -> int:
        """How many."""
        return sum(hits for hits, _ in self.counts)

    @property
    def of(self) -> int:
        """Of how many."""
        return sum(of for _, of in self.counts)

    @property
    def value(self) -> float:
        """The share; 0 of nothing."""
        return self.hits / self.of if self.of else 0.0

    @property
    def text(self) -> str:
        """The share with its interval, in percent."""
        z = NormalDist().inv_cdf(0.975) * math.sqrt(max(1.0, self.spread))
        estimate = wilson(self.hits, self.of, z)
        if estimate is None:
            return "–"
        return f"{100 * estimate.value:.1f} % [{100 * estimate.low:.1f}–{100 * estimate.high:.1f}]"

    @property
    def spread(self) -> float:
        """The variance of the share over labs, divided by that of independent rows (Kish's design effect)."""
        labs, share = len(self.counts), self.value
        if labs < 2 or not 0 < share < 1:
            return 1.0
        squares = sum((hits - share * of) ** 2 for hits, of in self.counts)
        return labs / (labs - 1) * squares / (share * (1 - share) * self.of)


def met(of: int, *, is_met: bool) -> str:
    """Return whether a bar is met, as a cell of a table."""
    if not of:
        return "not enough data"
    return "yes" if is_met else "**no**"

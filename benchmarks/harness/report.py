"""The result of a benchmark: claims and a table, written as Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.harness.http_load import Measured


@dataclass(frozen=True)
class Claim:
    """A statement about the lab, and its measurement.

    Attributes:
        what: the quantity, in words that can be read without the report.
        measured: the measured number with its unit.
        ratio: `measured` divided by the same number of `against`; empty where a number stands by itself.
        required: the limit for the number where it has a unit, else for the ratio.
        extrapolated: a number that was computed from `measured` for other conditions; empty for nearly all claims.
    """

    what: str
    measured: str
    ratio: str
    against: str
    required: str
    met: bool
    extrapolated: str = ""

    @property
    def verdict(self) -> str:
        """The limit and whether it is met, as a cell of a table."""
        return wanted(self.required, met=self.met)


@dataclass(frozen=True)
class Report:
    """A table under a title. `text` explains the measurement and the unit of the ratios."""

    title: str
    text: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    claims: Sequence[Claim] = ()

    def markdown(self) -> str:
        """Return title, text and table."""
        return f"## {self.title}\n\n{self.text}\n\n{table(self.header, self.rows)}\n"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; its first column is aligned to the left, all others to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))


def seconds(value: float) -> str:
    """Return a duration with about three digits."""
    return f"{value:.1f} s" if value >= 10 else f"{value:.2f} s"


def milliseconds(value: float) -> str:
    """Return a duration, given in seconds, in milliseconds."""
    return f"{value * 1e3:.1f} ms"


def spread(rates: Sequence[float]) -> str:
    """Return the median of the rates of several starts, and in brackets the smallest and the largest."""
    return f"{median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})"


def latencies(loads: Sequence[Measured]) -> tuple[str, str]:
    """Return the medians over several loads of their latencies: p50, then p99."""
    return milliseconds(median(load.p50 for load in loads)), milliseconds(median(load.p99 for load in loads))


def ratio(value: float, unit: float) -> str:
    """Return a value divided by `unit`."""
    return f"{value / unit:.2f}"


def wanted(text: str, *, met: bool) -> str:
    """Return the limit of a number, and whether it is met."""
    return f"{text}: {'yes' if met else '**no**'}"

"""What a benchmark has found, as a Markdown table."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """Something that is said of the lab, and how it was found.

    Attributes:
        what: what was measured, in words that stand alone.
        measured: the number with its unit.
        ratio: how many times `against` it is; empty where a number stands by itself.
        required: of the number where it has a unit, else of the ratio.
    """

    what: str
    measured: str
    ratio: str
    against: str
    required: str
    met: bool

    @property
    def verdict(self) -> str:
        """What is required, and whether it is so: a cell of a table."""
        return wanted(self.required, met=self.met)


@dataclass(frozen=True)
class Report:
    """A table under a title. `text` says what was done, and what the ratios are ratios of."""

    title: str
    text: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    claims: Sequence[Claim] = ()

    def markdown(self) -> str:
        """Return title, text and table."""
        return f"## {self.title}\n\n{self.text}\n\n{table(self.header, self.rows)}\n"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the columns after the first are numbers, and stand to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))


def seconds(value: float) -> str:
    """Return a duration with three digits or so."""
    return f"{value:.1f} s" if value >= 10 else f"{value:.2f} s"


def ratio(value: float, unit: float) -> str:
    """Return how many times `unit` a value is."""
    return f"{value / unit:.2f}"


def wanted(text: str, *, met: bool) -> str:
    """Return what is asked of a number, and whether it is so."""
    return f"{text}: {'yes' if met else '**no**'}"

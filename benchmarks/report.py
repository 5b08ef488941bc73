"""What a benchmark has found, as a Markdown table."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Report:
    """A table under a title. `text` says what was done, and what the ratios are ratios of."""

    title: str
    text: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """Return title, text and table; the columns after the first are numbers, and stand to the right."""
        rule = ["---", *["---:"] * (len(self.header) - 1)]
        table = "\n".join("| " + " | ".join(cells) + " |" for cells in (self.header, rule, *self.rows))
        return f"## {self.title}\n\n{self.text}\n\n{table}\n"


def seconds(value: float) -> str:
    """Return a duration with three digits or so."""
    return f"{value:.1f} s" if value >= 10 else f"{value:.2f} s"


def ratio(value: float, unit: float) -> str:
    """Return how many times `unit` a value is."""
    return f"{value / unit:.2f}"


def wanted(text: str, *, met: bool) -> str:
    """Return what is asked of a number, and whether it is so."""
    return f"{text}: {'yes' if met else '**no**'}"

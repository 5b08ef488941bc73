"""Compute how much a number of predictions a second needs: `python -m deploy.sizing` writes it into docs/deploy.md.

All figures come from the tables of docs/benchmarks.md, so that a new measurement changes the sizes.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from common.settings import PROJECT

BENCHMARKS = PROJECT / "docs" / "benchmarks.md"
PAGE = PROJECT / "docs" / "deploy.md"
BEGIN, END = "<!-- sizes: python -m deploy.sizing -->\n", "<!-- end of the sizes -->"
COSTS = "The cost of a prediction on PostgreSQL"
WRITING = "Writing predictions and feedback"
RATES = (1_000, 10_000, 100_000)  # predictions a second
BUSY = 0.6  # of a core: the aim of the HorizontalPodAutoscaler
FULL = (
    0.5  # of what one PostgreSQL writes: the rest is for corrections, counts, the monitor, and the hour with most load
)
SMALLEST = 2  # replicas, so that one may end
DAY = 86_400  # seconds


class FiguresError(ValueError):
    """The page of the benchmarks does not have a table, a row or a column."""


@dataclass(frozen=True)
class Figures:
    """Measured costs of one row.

    Attributes:
        core: seconds of a core of the api, with one row in a request.
        core_in_batches: the same with the largest measured number of rows in a request.
        core_of_database: seconds of a core of PostgreSQL.
        written: rows a second that one PostgreSQL writes at most; its writers take turns.
        disk: bytes in tables and indexes.
        log: bytes in the write-ahead log.
        network: bytes between client and api, with one row in a request.
    """

    core: float
    core_in_batches: float
    core_of_database: float
    written: float
    disk: float
    log: float
    network: float


@dataclass(frozen=True)
class Size:
    """Needs of a rate of predictions a second: cores, replicas, a share of one PostgreSQL, and bytes a second."""

    rate: int
    cores: float
    cores_in_batches: float
    replicas: int
    share: float
    cores_of_database: float
    disk: float
    log: float
    network: float

    @property
    def needs_stream(self) -> bool:
        """Whether the rows are too many to be written into one PostgreSQL by the apis themselves."""
        return self.share > FULL

    @property
    def partitions(self) -> int:
        """The partitions of a stream: one for each writer that stays below `FULL` of a database of its own."""
        return math.ceil(self.share / FULL) if self.needs_stream else 0


def read_figures(page: str) -> Figures:
    """Return the figures of the page of the benchmarks.

    Raises:
        FiguresError: the page has no such table, row or column.
    """
    single, *_, batches = _rows(page, COSTS)
    written = max(float(row["store"].removesuffix("/s")) for row in _rows(page, WRITING) if row["0"] == "PostgreSQL")
    return Figures(
        core=_number(single, "core of the api") * 1e-6,
        core_in_batches=_number(batches, "core of the api") * 1e-6,
        core_of_database=_number(single, "core of PostgreSQL") * 1e-6,
        written=written,
        disk=_number(single, "disk"),
        log=_number(single, "write-ahead log"),
        network=_number(single, "network"),
    )


def size(figures: Figures, rate: int) -> Size:
    """Return the needs of `rate` predictions a second, each a request of its own."""
    cores = rate * figures.core / BUSY
    return Size(
        rate=rate,
        cores=cores,
        cores_in_batches=rate * figures.core_in_batches / BUSY,
        replicas=max(SMALLEST, math.ceil(cores)),
        share=rate / figures.written,
        cores_of_database=rate * figures.core_of_database,
        disk=rate * figures.disk,
        log=rate * figures.log,
        network=rate * figures.network,
    )


def table(figures: Figures, rates: Sequence[int] = RATES) -> str:
    """Return the sizes as a Markdown table, and the rate above which a stream is needed."""
    header = ("", *(f"{rate:,} a second" for rate in rates))
    sizes = [size(figures, rate) for rate in rates]
    rows = [
        ("cores of the api, requests of one row", *(_digits(each.cores) for each in sizes)),
        ("cores of the api, requests of 20 rows", *(_digits(each.cores_in_batches) for each in sizes)),
        ("replicas of one process", *(str(each.replicas) for each in sizes)),
        ("of the rows that one PostgreSQL writes", *(f"{_digits(100 * each.share)} %" for each in sizes)),
        ("rows go", *("through a stream" if each.needs_stream else "into PostgreSQL" for each in sizes)),
        (
            "partitions of the stream, each with a writer and a database",
            *(str(each.partitions or "–") for each in sizes),
        ),
        ("cores of PostgreSQL, all together", *(_digits(each.cores_of_database) for each in sizes)),
        ("disk for tables and indexes, a day", *(_bytes(each.disk * DAY) for each in sizes)),
        ("days in 1 TB", *(_digits(1e12 / (each.disk * DAY)) for each in sizes)),
        ("write-ahead log", *(f"{_bytes(each.log)}/s" for each in sizes)),
        ("network between clients and apis", *(f"{_digits(8e-6 * each.network)} Mbit/s" for each in sizes)),
    ]
    lines = ["| " + " | ".join(cells) + " |" for cells in (header, ("---", *["---:"] * len(rates)), *rows)]
    least = _digits(FULL * figures.written, thousands=True)
    return "\n".join(
        [*lines, "", f"The limit of one PostgreSQL, and so the beginning of a stream: {least} rows a second."]
    )


def with_table(page: str, content: str) -> str:
    """Return the page with a new table between its two marks.

    Raises:
        FiguresError: the page has no such marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise FiguresError(f"{PAGE.name} has no lines {BEGIN.strip()!r} and {END!r}")
    return f"{before}{begin}{content}\n{end}{after}"


def main() -> None:
    """Write the table into docs/deploy.md."""
    content = table(read_figures(BENCHMARKS.read_text(encoding="utf-8")))
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), content), encoding="utf-8")
    print(content)


def _rows(page: str, title: str) -> list[dict[str, str]]:
    """Return the rows of the table under a title, by column; columns without a name have their number."""
    _, found, rest = page.partition(f"## {title}\n")
    lines = [line for line in rest.partition("\n## ")[0].splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    if not found or len(cells) < 3:  # noqa: PLR2004  # header, rule, and a row
        raise FiguresError(f"{BENCHMARKS.name} has no table under {title!r}")
    names = [name or str(number) for number, name in enumerate(cells[0])]
    return [dict(zip(names, row, strict=True)) for row in cells[2:]]


def _number(row: dict[str, str], column: str) -> float:
    if not (number := re.match(r"[\d.]+", row.get(column, ""))):
        raise FiguresError(f"{BENCHMARKS.name} has no number in the column {column!r} under {COSTS!r}")
    return float(number[0])


def _digits(value: float, *, thousands: bool = False) -> str:
    """Return a number with two digits that mean something."""
    if value == 0:
        return "0"
    places = 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    return f"{rounded:,.{max(places, 0)}f}" if thousands or rounded < 1000 else f"{rounded:,.0f}"  # noqa: PLR2004


def _bytes(value: float) -> str:
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if value >= factor:
            return f"{_digits(value / factor)} {unit}"
    return f"{_digits(value / 1e3)} kB"


if __name__ == "__main__":
    main()

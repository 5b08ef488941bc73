"""The story of the demo: its events, and the accuracy between them, as a table, a line of text and a picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from rich.table import Table

from scripts.demo_clients import Answered

BLOCKS = "▁▂▃▄▅▆▇█"
LOWEST = 0.5  # the accuracy of the lowest block
POINT_ROWS = 20  # rows that a point of the picture, or a block of the line, stands for
LEVELS = 3  # heights of the names of events, so that they do not cover each other


@dataclass(frozen=True)
class Event:
    """An event of the demo in a few words, and its second."""

    second: float
    what: str


@dataclass(frozen=True)
class Point:
    """The accuracy of `POINT_ROWS` rows that one version answered in turn, at the second of the last one."""

    second: float
    version: int
    accuracy: float


def points(answered: Sequence[Answered]) -> list[Point]:
    """Return the accuracy of each `POINT_ROWS` rows of a version, oldest first."""
    found = []
    for version, its in groupby(answered, key=lambda each: each.version):
        rows = list(its)
        parts = [rows[start : start + POINT_ROWS] for start in range(0, len(rows), POINT_ROWS)]
        found += [Point(part[-1].second, version, _accuracy(part)) for part in parts if len(part) == POINT_ROWS]
    return found


def story(events: Sequence[Event], answered: Sequence[Answered]) -> Table:
    """Return a table of the events, and of the accuracy from each event to the next one."""
    table = Table("second", "event", title="right answers, by the ground truth of all rows that clients sent")
    table.add_column("version", justify="right")
    table.add_column("right until the next event", justify="right")
    for event, rows in _parts(events, answered):
        versions = ", ".join(str(each) for each in sorted({row.version for row in rows}))
        right = f"{_accuracy(rows):.1%} of {len(rows)} rows" if rows else ""
        table.add_row(f"{event.second:.0f}", event.what, versions, right)
    table.caption = f"{line_of_blocks(answered)}\n{POINT_ROWS} rows a block, from {LOWEST:.0%} (▁) to 100% (█)"
    return table


def line_of_blocks(answered: Sequence[Answered]) -> str:
    """Return a block for the accuracy of each `POINT_ROWS` rows."""
    heights = [(each.accuracy - LOWEST) / (1 - LOWEST) for each in points(answered)]
    return "".join(BLOCKS[round(min(max(height, 0.0), 1.0) * (len(BLOCKS) - 1))] for height in heights)


def draw(path: Path, events: Sequence[Event], answered: Sequence[Answered]) -> None:
    """Write a picture of the accuracy over the time of the demo, with versions and events."""
    # Imported late: the demo has better things to do in its first seconds.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5), layout="constrained")
    axes = figure.subplots()
    shown = points(answered)
    axes.plot([each.second for each in shown], [100 * each.accuracy for each in shown], color="lightgrey", zorder=1)
    for version in sorted({each.version for each in shown}):
        its = [each for each in shown if each.version == version]
        axes.scatter([each.second for each in its], [100 * each.accuracy for each in its], label=f"version {version}")
    for number, event in enumerate(events):
        axes.axvline(event.second, color="black", linestyle=":", linewidth=1)
        place = (event.second, 1.01 + 0.05 * (number % LEVELS))
        axes.annotate(event.what, place, xycoords=axes.get_xaxis_transform(), fontsize=9, annotation_clip=False)
    axes.set_xlim(right=axes.get_xlim()[1] + 2)
    axes.set_ylim(top=101)
    axes.set_xlabel("seconds since the start of the demo")
    axes.set_ylabel(f"right answers of {POINT_ROWS} in turn, in %")
    axes.legend(loc="lower left")
    figure.savefig(path, dpi=120)


def _parts(events: Sequence[Event], answered: Sequence[Answered]) -> Iterator[tuple[Event, list[Answered]]]:
    """Yield each event with the rows that were answered until the next one."""
    ends = [*(each.second for each in events[1:]), float("inf")]
    for event, end in zip(events, ends, strict=True):
        yield event, [each for each in answered if event.second <= each.second < end]


def _accuracy(rows: Sequence[Answered]) -> float:
    return sum(each.is_right for each in rows) / len(rows)

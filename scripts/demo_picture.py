"""The story of the demo: its events, and the accuracy between them, as a table, a line of text and a picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from scripts.demo_clients import Answered

BLOCKS = "▁▂▃▄▅▆▇█"
LOWEST = 0.5  # the accuracy of the lowest block, and of the lower edge of the picture
BIN_SECONDS = 1.0
FEWEST = 3  # rows of a bin that is shown


@dataclass(frozen=True)
class Event:
    """What happened at a second of the demo; `short` is for the picture."""

    second: float
    short: str
    text: str


@dataclass(frozen=True)
class Bin:
    """The rows that were answered in a second: its middle, their number, the share of right ones, the last version."""

    second: float
    rows: int
    accuracy: float
    version: int


def bins(answered: Sequence[Answered]) -> list[Bin]:
    """Return the accuracy of each second that has enough rows, oldest first."""
    found: dict[int, list[Answered]] = {}
    for each in answered:
        found.setdefault(int(each.second // BIN_SECONDS), []).append(each)
    return [
        Bin((number + 0.5) * BIN_SECONDS, len(rows), _accuracy(rows), rows[-1].version)
        for number, rows in sorted(found.items())
        if len(rows) >= FEWEST
    ]


def story(events: Sequence[Event], answered: Sequence[Answered]) -> Table:
    """Return a table of the events, and of the accuracy from each event to the next one."""
    table = Table("second", "event", title="accuracy, by the ground truth of all rows that clients sent")
    table.add_column("version", justify="right")
    table.add_column("accuracy from here on", justify="right")
    for event, rows in _parts(events, answered):
        versions = sorted({each.version for each in rows})
        accuracy = f"{_accuracy(rows):.3f} of {len(rows)} rows" if rows else ""
        table.add_row(f"{event.second:.0f}", event.text, ", ".join(map(str, versions)), accuracy)
    table.caption = f"{line_of_blocks(answered)}  a block a second: ▁ is {LOWEST:.0%}, █ is 100 %"
    return table


def line_of_blocks(answered: Sequence[Answered]) -> str:
    """Return a block for the accuracy of each second."""
    heights = [(each.accuracy - LOWEST) / (1 - LOWEST) for each in bins(answered)]
    return "".join(BLOCKS[round(min(max(height, 0.0), 1.0) * (len(BLOCKS) - 1))] for height in heights)


def draw(path: Path, events: Sequence[Event], answered: Sequence[Answered]) -> None:
    """Write a picture of the accuracy over the time of the demo, with versions and events."""
    # Imported late: the demo has better things to do in its first seconds.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5), layout="constrained")
    axes = figure.subplots()
    shown = bins(answered)
    axes.plot([each.second for each in shown], [100 * each.accuracy for each in shown], color="grey", zorder=1)
    for version in sorted({each.version for each in shown}):
        its = [each for each in shown if each.version == version]
        axes.scatter([each.second for each in its], [100 * each.accuracy for each in its], label=f"version {version}")
    for number, event in enumerate(events):
        axes.axvline(event.second, color="black", linestyle=":", linewidth=1)
        height = 1.01 + 0.06 * (number % 4)
        axes.text(event.second, height, event.short, transform=axes.get_xaxis_transform(), ha="center", fontsize=8)
    axes.set_ylim(100 * LOWEST - 5, 102)
    axes.set_xlabel("seconds since the demo's start")
    axes.set_ylabel("right answers in a second, in %")
    axes.legend(loc="lower left")
    figure.savefig(path, dpi=120)


def _parts(events: Sequence[Event], answered: Sequence[Answered]) -> Iterator[tuple[Event, list[Answered]]]:
    """Yield each event with the rows that were answered until the next one."""
    ends = [*(each.second for each in events[1:]), float("inf")]
    for event, end in zip(events, ends, strict=True):
        yield event, [each for each in answered if event.second <= each.second < end]


def _accuracy(rows: Sequence[Answered]) -> float:
    return sum(each.is_right for each in rows) / len(rows)

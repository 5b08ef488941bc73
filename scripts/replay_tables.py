"""The figures of a replay as tables for the terminal."""

from collections.abc import Iterator

from rich.table import Table

from common.evaluate import Estimate
from trust.replay.summary import (
    LEAST_CLASS_TRUTHS,
    LEAST_ROWS,
    QUANTILES,
    ConfidenceDrift,
    ReplaySummary,
)

TOO_FEW = "not enough data"
SHOWN = (0, 2, 4)  # places in `QUANTILES`; all of them are too many for a terminal


def tables(problem: str, found: ReplaySummary) -> Iterator[Table]:
    """Yield the tables: all rows, classes, changes from class to class, served versions, and confidence."""
    yield _whole(problem, found)
    yield _classes(found)
    yield _recalls(found)
    if found.changes:
        yield _changes(found)
    if len(found.served) > 1:
        yield _served(found)
    if found.confidence.rows:
        yield _confidence(found)


def percent(found: Estimate | None, *, sign: bool = False) -> str:
    """Return a share, or with a sign a difference of shares, with its interval in percent."""
    if found is None:
        return TOO_FEW
    form = "+.1f" if sign else ".1f"
    return f"{100 * found.value:{form}} % ({100 * found.low:{form}} to {100 * found.high:{form}})"


def _whole(problem: str, found: ReplaySummary) -> Table:
    span = f"{found.first:%Y-%m-%d %H:%M} to {found.last:%Y-%m-%d %H:%M} UTC"
    table = Table("", "rows", "", title=f"{problem}: version {found.version} on the log, {span}", title_justify="left")
    table.add_row("answered again", f"{found.rows:,}", _skipped(found))
    table.add_row("answered alike", f"{found.rows - found.changed:,}", percent(found.alike))
    table.add_row("changed, ground truth unknown", f"{found.unknown:,}", "")
    truths = found.accuracy
    table.add_row("with ground truth", f"{truths.truths:,}", "" if truths.change else f"at least {LEAST_ROWS} needed")
    table.add_row("gain: only the replayed version is right", f"{truths.gain:,}", "")
    table.add_row("harm: only the served version was right", f"{truths.harm:,}", "")
    table.add_row("accuracy as served", "", percent(truths.before))
    table.add_row("accuracy replayed", "", percent(truths.after))
    table.add_row("change of accuracy", "", percent(truths.change, sign=True))
    return table


def _skipped(found: ReplaySummary) -> str:
    return f"{found.skipped:,} more lack a feature of this version" if found.skipped else ""


def _classes(found: ReplaySummary) -> Table:
    table = Table("class", "served", "alike", "replayed", title="Answers by class", title_justify="left")
    for each in found.classes:
        table.add_row(each.name, f"{each.served:,}", percent(each.alike), f"{each.replayed:,}")
    return table


def _recalls(found: ReplaySummary) -> Table:
    title = f"Recall by class, from {LEAST_CLASS_TRUTHS} ground truths on"
    table = Table("class", "truths", "gain", "harm", "as served, replayed", "change", title=title, title_justify="left")
    for each in found.classes:
        recall = each.recall
        counts = (f"{count:,}" for count in (recall.truths, recall.gain, recall.harm))
        shares = (
            percent(recall.before) if recall.before is None else f"{percent(recall.before)}\n{percent(recall.after)}"
        )
        table.add_row(each.name, *counts, shares, percent(recall.change, sign=True) if recall.change else "")
    return table


def _changes(found: ReplaySummary) -> Table:
    table = Table("served", "replayed", "rows", "gain", "harm", title="Changed answers", title_justify="left")
    for each in found.changes:
        table.add_row(each.served, each.replayed, *(f"{count:,}" for count in (each.rows, each.gain, each.harm)))
    return table


def _served(found: ReplaySummary) -> Table:
    table = Table("served version", "rows", "alike", title="By served version", title_justify="left")
    for each in found.served:
        table.add_row(str(each.version), f"{each.rows:,}", percent(each.alike))
    return table


def _confidence(found: ReplaySummary) -> Table:
    quantiles = [f"{QUANTILES[place]:.0%}" for place in SHOWN]
    table = Table("served class", "rows", "", "mean", *quantiles, title="Confidence", title_justify="left")
    for name, drift in (("all", found.confidence), *((each.name, each.confidence) for each in found.classes)):
        for row in _drift(name, drift):
            table.add_row(*row)
    return table


def _drift(name: str, drift: ConfidenceDrift) -> Iterator[tuple[str, ...]]:
    if drift.before is None or drift.after is None or drift.change is None:
        yield name, f"{drift.rows:,}", "", TOO_FEW
        return
    for title, figures in (("as served", drift.before), ("replayed", drift.after)):
        mean, rows = figures.mean, f"{drift.rows:,}" if title == "as served" else ""
        cells = (
            f"{mean.value:.3f} ({mean.low:.3f} to {mean.high:.3f})",
            *(f"{figures.quantiles[place]:.3f}" for place in SHOWN),
        )
        yield (name if rows else "", rows, title, *cells)
    change = drift.change
    yield "", "", "change", f"{change.value:+.4f} ({change.low:+.4f} to {change.high:+.4f})"

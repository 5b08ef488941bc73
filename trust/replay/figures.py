"""The figures of a replay, with their intervals, computed from its counts alone."""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from statistics import NormalDist

import numpy as np

from common.evaluate import CONFIDENCE, Estimate, wilson
from common.judgement.intervals import tango
from common.problem import Ints
from trust.replay.replay import BINS, AnswerKind, Confidences, Replay
from trust.replay.summary import (
    LEAST_CLASS_TRUTHS,
    LEAST_ROWS,
    MOST_LISTED,
    QUANTILES,
    ConfidenceDrift,
    ConfidenceFigures,
    ReplayedChange,
    ReplayedClass,
    ReplaySummary,
    ServedVersionRows,
    TruthFigures,
)

ALPHA = (1 - CONFIDENCE) / 2  # of each end of an interval


def summary_of(replay: Replay) -> ReplaySummary:
    """Return the figures of a replay that has answered at least one row."""
    if replay.first is None or replay.last is None:
        raise ValueError("a replay without rows has no figures")
    kinds = replay.kinds
    changed = Counter({kind: rows for kind, rows in kinds.items() if kind.served != kind.replayed})
    return ReplaySummary(
        version=replay.version.number,
        rows=replay.rows,
        skipped=replay.skipped,
        first=replay.first,
        last=replay.last,
        alike=_alike(kinds),
        changed=changed.total(),
        unknown=sum(rows for kind, rows in changed.items() if kind.truth is None),
        accuracy=truth_figures(kinds, LEAST_ROWS),
        confidence=confidence_drift(replay.confidences.values()),
        classes=[_of_class(replay, name) for name in _class_names(replay)],
        changes=_changes(changed),
        served=_served(kinds),
    )


def truth_figures(kinds: Counter[AnswerKind], least: int) -> TruthFigures:
    """Return right answers before and after; without shares if fewer than `least` rows have a ground truth."""
    known = Counter({kind: rows for kind, rows in kinds.items() if kind.truth is not None})
    n = known.total()
    before, after = (_count(known, lambda kind: kind.served == kind.truth), _count(known, _is_right))
    gain = _count(known, lambda kind: _is_right(kind) and kind.served != kind.truth)
    harm = gain - (after - before)
    if n < least:
        return TruthFigures(truths=n, gain=gain, harm=harm, before=None, after=None, change=None)
    change = Estimate((gain - harm) / n, tango(gain, harm, n, ALPHA), -tango(harm, gain, n, ALPHA))
    return TruthFigures(truths=n, gain=gain, harm=harm, before=wilson(before, n), after=wilson(after, n), change=change)


def confidence_drift(counts: Iterable[Confidences]) -> ConfidenceDrift:
    """Return the confidences before and after of rows that were counted in several parts."""
    whole = Confidences()
    for each in counts:
        whole.rows += each.rows
        whole.sums += each.sums
        whole.squares += each.squares
        whole.bins += each.bins
    if whole.rows < LEAST_ROWS:
        return ConfidenceDrift(rows=whole.rows, before=None, after=None, change=None)
    means = [_mean(total, squares, whole.rows) for total, squares in zip(whole.sums, whole.squares, strict=True)]
    before, after = (
        ConfidenceFigures(mean=mean, quantiles=_quantiles(bins))
        for mean, bins in zip(means[:2], whole.bins, strict=True)
    )
    return ConfidenceDrift(rows=whole.rows, before=before, after=after, change=means[2])


def _mean(total: float, squares: float, rows: int) -> Estimate:
    """Return a mean with the 95 % interval of the normal distribution: at least `LEAST_ROWS` rows are enough for it."""
    mean = total / rows
    deviation = math.sqrt(max(squares - rows * mean * mean, 0.0) / (rows - 1))
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * deviation / math.sqrt(rows)
    return Estimate(mean, mean - half, mean + half)


def _quantiles(bins: Ints) -> list[float]:
    """Return `QUANTILES` of counted values: the middle of the bin of the smallest value that so many do not exceed."""
    ranks = np.cumsum(bins)
    return [round((int(np.searchsorted(ranks, share * ranks[-1])) + 0.5) / BINS, 4) for share in QUANTILES]


def _of_class(replay: Replay, name: str) -> ReplayedClass:
    served = Counter({kind: rows for kind, rows in replay.kinds.items() if kind.served == name})
    truths = Counter({kind: rows for kind, rows in replay.kinds.items() if kind.truth == name})
    confidence = replay.confidences.get(name)
    return ReplayedClass(
        name=name,
        served=served.total(),
        alike=_alike(served),
        replayed=_count(replay.kinds, lambda kind: kind.replayed == name),
        recall=truth_figures(truths, LEAST_CLASS_TRUTHS),
        confidence=confidence_drift([confidence] if confidence else []),
    )


def _class_names(replay: Replay) -> list[str]:
    known = replay.version.model.classes
    found = {name for kind in replay.kinds for name in (kind.served, kind.replayed, kind.truth) if name is not None}
    return [*known, *sorted(found.difference(known))]


def _changes(changed: Counter[AnswerKind]) -> list[ReplayedChange]:
    pairs: Counter[tuple[str, str]] = Counter()
    gains: Counter[tuple[str, str]] = Counter()
    harms: Counter[tuple[str, str]] = Counter()
    for kind, rows in changed.items():
        pair = kind.served, kind.replayed
        pairs[pair] += rows
        gains[pair] += rows * (kind.truth == kind.replayed)
        harms[pair] += rows * (kind.truth == kind.served)
    ordered = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:MOST_LISTED]
    return [
        ReplayedChange(served=pair[0], replayed=pair[1], rows=rows, gain=gains[pair], harm=harms[pair])
        for pair, rows in ordered
    ]


def _served(kinds: Counter[AnswerKind]) -> list[ServedVersionRows]:
    versions = sorted({kind.version for kind in kinds}, reverse=True)[:MOST_LISTED]
    own = {
        number: Counter({kind: rows for kind, rows in kinds.items() if kind.version == number}) for number in versions
    }
    return [ServedVersionRows(version=number, rows=own[number].total(), alike=_alike(own[number])) for number in own]


def _alike(kinds: Counter[AnswerKind]) -> Estimate | None:
    rows = kinds.total()
    return wilson(_count(kinds, lambda kind: kind.served == kind.replayed), rows) if rows >= LEAST_ROWS else None


def _count(kinds: Counter[AnswerKind], holds: Callable[[AnswerKind], bool]) -> int:
    return sum(rows for kind, rows in kinds.items() if holds(kind))


def _is_right(kind: AnswerKind) -> bool:
    return kind.replayed == kind.truth

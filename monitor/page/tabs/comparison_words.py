"""The verdict on champion and challenger in words, and how far the e-values are. Pure functions."""

from dataclasses import dataclass

from common.evaluate import mcnemar
from common.judgement.betting import MOST_TRUTHS, PROMOTE_AT, RETIRE_AT, ROLL_BACK_AT
from common.store.statistics import Paired
from monitor.page.findings import Headline, gauge_share
from monitor.statistics.duel import LiveDuel
from monitor.statistics.enough import LABELS

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Gauge:
    """An e-value on the way to the threshold at which the lab acts; `value` is None with too few ground truths."""

    name: str
    value: float | None
    threshold: float
    words: str


def total(paired: Paired) -> int:
    """Return the number of ground truths of rows that both versions have answered."""
    return sum(vars(paired).values())


def p_value(paired: Paired) -> float:
    """Return the p-value of McNemar's exact test."""
    return mcnemar(paired.only_champion_right, paired.only_challenger_right)


def verdict(paired: Paired, champion: int, challenger: int) -> Headline | None:
    """Return which version is better, if the test says so; None without any ground truth.

    A better champion is good; a better challenger asks somebody to look; everything else is not known.
    """
    truths = total(paired)
    if not truths:
        return None
    if truths < LABELS:
        text = f"Not enough data: {truths} of {LABELS} ground truths of rows that both versions have answered."
        return Headline(level="unknown", text=text)
    counts = {champion: paired.only_champion_right, challenger: paired.only_challenger_right}
    if not any(counts.values()):
        text = f"No difference is seen: both versions are right, or both wrong, on all {truths:,} rows."
        return Headline(level="unknown", text=text)
    first, second = sorted(counts, key=lambda version: (counts[version], version), reverse=True)
    found = f"right where version {second} is wrong {_times(counts[first])}, the other way {_times(counts[second])}"
    if p_value(paired) >= SIGNIFICANT:
        return Headline(level="unknown", text=f"No difference is proven: version {first} is {found}.")
    level = "good" if first == champion else "watch"
    return Headline(level=level, text=f"Version {first} is better: {found}.")


def gauges(duel: LiveDuel) -> list[Gauge]:
    """Return the e-values of a version: on trial towards promotion and retirement, on probation towards roll-back."""
    if duel.on_trial:
        return [
            _gauge(duel, "Towards promotion", duel.not_worse, PROMOTE_AT, "promoted; if PROMOTION=manual, by a person"),
            _gauge(duel, "Towards retirement", duel.worse, RETIRE_AT, "retired"),
        ]
    return [_gauge(duel, "Towards roll-back", duel.worse, ROLL_BACK_AT, "rolled back")]


def standing(duel: LiveDuel) -> str:
    """Return which of the two versions is judged, and on what, in two sentences."""
    role = "challenger, on trial" if duel.on_trial else "champion, on probation"
    return (
        f"Version {duel.new} is {role}; it ends after {MOST_TRUTHS:,} ground truths at the latest. So far there are "
        f"{duel.truths:,}: version {duel.new} alone is right {_times(duel.wins)}, version {duel.old} alone "
        f"{_times(duel.losses)}."
    )


def _gauge(duel: LiveDuel, name: str, value: float | None, threshold: float, then: str) -> Gauge:
    if duel.truths < LABELS:
        return Gauge(name, None, threshold, f"not enough data: {duel.truths} of {LABELS} ground truths")
    if value is None:
        return Gauge(name, None, threshold, "unknown: the monitor has no file of this problem")
    return Gauge(
        name, value, threshold, f"{progress(value, threshold)}; at {threshold:.0f} version {duel.new} is {then}"
    )


def progress(value: float, threshold: float) -> str:
    """Return how far an e-value is on its way from 1 to its threshold, on a logarithmic scale."""
    share = gauge_share(value, threshold)
    steps = {1.0: "reached", 0.5: "more than half of the way", 0.1: "less than half of the way"}
    return next((words for least, words in steps.items() if share >= least), "hardly any evidence so far")


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count:,} times")

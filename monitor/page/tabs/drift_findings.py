"""The verdicts of a window in words: one sentence for each subject, and one for all. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.page.findings import Headline, Level
from monitor.page.formatting import formatted
from monitor.statistics.drift import LIMITS
from monitor.statistics.enough import DRIFT_ROWS
from monitor.statistics.window import CLASS, CONFIDENCE, OTHERS, Evaluation, Subject

MOVED = 0.1  # standard deviations: a median that has moved less is not worth a word
TIMES = 2.0  # more than 200 % higher is easier to read as "3 times as high"
LEVELS: dict[str | None, Level] = {"drift": "bad", "no drift": "good"}
ORDER: Sequence[Level] = ("bad", "unknown", "good")


@dataclass(frozen=True)
class DriftFinding:
    """A subject of a window with its verdict in words.

    Attributes:
        place: of the subject among those of the window.
        distance: its largest statistic as a multiple of the statistic's limit; 0 without statistics.
    """

    name: str
    subject: Subject
    place: int
    level: Level
    sentence: str
    distance: float


def findings(evaluation: Evaluation) -> list[DriftFinding]:
    """Return a finding on each subject, the worst first; those that have too few rows stand before the healthy ones."""
    found = [
        DriftFinding(name, each, place, LEVELS.get(each.verdict, "unknown"), sentence(name, each), _distance(each))
        for place, (name, each) in enumerate(evaluation.subjects.items())
    ]
    return sorted(found, key=lambda each: (ORDER.index(each.level), -each.distance))


def headline(evaluation: Evaluation) -> Headline:
    """Return the verdict on a whole window."""
    found = findings(evaluation)
    drifted, known = _of(found, "bad"), len(found) - len(_of(found, "unknown"))
    if drifted:
        worst = f", {drifted[0].name} most" if len(drifted) > 1 else f": {drifted[0].name}"
        have = "have" if len(drifted) > 1 else "has"
        return Headline(level="bad", text=f"{len(drifted)} of {_subjects(known)} {have} drifted{worst}.")
    if known:
        rest = f" {_subjects(len(found) - known)} cannot be judged." if known < len(found) else ""
        return Headline(level="good", text=f"No drift in {_subjects(known)}.{rest}")
    if any(each.subject.verdict for each in found):
        return Headline(level="unknown", text=f"{enough(evaluation.rows).capitalize()}.")
    return Headline(level="unknown", text="There is nothing to compare this window with.")


def enough(rows: int) -> str:
    """Return whether a window of so many rows is enough for a verdict, in words."""
    return f"not enough data: {rows} of {DRIFT_ROWS} rows" if rows < DRIFT_ROWS else "enough for a verdict"


def sentence(name: str, subject: Subject) -> str:
    """Return the verdict on a subject in one sentence, without the subject's name."""
    if subject.verdict is None:
        return "nothing to compare with"
    if subject.verdict == "not enough data":
        return enough(subject.rows)
    place = "on the test rows" if name in (CLASS, CONFIDENCE) else "in training"
    moved = _moved(subject, place) if subject.kind == "number" else ""
    if subject.verdict == "no drift":
        first = f"as {place}" + (f": {pair}" if (pair := _medians(subject, place)) else "")
    else:
        first = moved or _changed(subject, place)
    return "; ".join(each for each in (first, _outside(subject)) if each)


def _moved(subject: Subject, place: str) -> str:
    """Return how far the median has moved; "" if it has hardly moved or is unknown."""
    new, old, std = subject.median, subject.reference_median, subject.reference_std or 0.0
    if new is None or old is None or abs(new - old) <= MOVED * std:
        return ""
    if old <= 0 or new < 0:
        much = f"{abs(new - old) / std:.3g} standard deviations " if std else ""
    elif new / old >= 1 + TIMES:
        return f"{new / old:.3g} times as high as {place} ({_medians(subject, place)})"
    else:
        much = f"{100 * abs(new / old - 1):.0f} % "
    return f"{much}{'higher' if new > old else 'lower'} than {place} ({_medians(subject, place)})"


def _medians(subject: Subject, place: str) -> str:
    if subject.median is None or subject.reference_median is None:
        return ""
    return f"median {subject.median:.3g}, {place} {subject.reference_median:.3g}"


def _changed(subject: Subject, place: str) -> str:
    """Return the bin or name whose share has changed most."""
    told = subject.distribution
    if told is None or told.reference is None:
        return f"not as {place}"
    changes = zip(told.labels, told.window, told.reference, strict=True)
    label, new, old = max(changes, key=lambda each: abs(each[1] - each[2]))
    what = "have a value that is new" if label == OTHERS else f"are {label}"
    return f"{formatted(new, 'ratio')} of the rows {what}, {place} {formatted(old, 'ratio')}"


def _outside(subject: Subject) -> str:
    sides = [(subject.above, "above"), (subject.below, "below")]
    found = [f"{count} of {subject.rows} rows {side} anything seen" for count, side in sides if count]
    return "; ".join(found)


def _distance(subject: Subject) -> float:
    return max((subject.statistics.get(name, 0.0) / limit for name, limit in LIMITS.items()), default=0.0)


def _of(found: Sequence[DriftFinding], level: Level) -> list[DriftFinding]:
    return [each for each in found if each.level == level]


def _subjects(count: int) -> str:
    return "1 subject" if count == 1 else f"{count} subjects"

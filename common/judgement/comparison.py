"""The comparison of a candidate with a baseline, row by row.

A row on which two versions answer alike makes no difference between them, whatever its ground truth. So rows without
ground truth count in full where the versions agree, and a ground truth is needed only where they differ.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

from common.judgement.intervals import tango
from common.problem import Ints

MOST_MISSING = 2**31  # rows


@dataclass(frozen=True)
class ClassChange:
    """The change of the recall of one class, on its n rows with ground truth, and the change's upper limit."""

    name: str
    gain: int
    harm: int
    n: int
    high: float = 1.0

    @property
    def change(self) -> float:
        """The change of the recall; 0 without rows."""
        return (self.gain - self.harm) / self.n if self.n else 0.0


@dataclass(frozen=True)
class PairedComparison:
    """A candidate against a baseline.

    Attributes:
        gain: number of rows that only the candidate answers rightly.
        harm: number of rows that only the baseline answers rightly.
        unknown: number of rows without ground truth that they answer differently.
        n: number of all rows.
        known: number of rows with ground truth.
        set_aside: whether the limits are made from the rows with ground truth alone.
        low: the lower limit of the difference of accuracy; it counts each unknown row as harm.
        high: the upper limit; it counts each unknown row as a gain.
        classes: the changes of recall.
    """

    gain: int
    harm: int
    unknown: int
    n: int
    known: int
    set_aside: bool = False
    low: float = -1.0
    high: float = 1.0
    classes: tuple[ClassChange, ...] = ()

    def lost(self, class_loss: float) -> ClassChange | None:
        """Return the class that has certainly lost recall, and at least `class_loss` of it; None if there is none."""
        worst = min(self.classes, key=lambda each: each.change, default=None)
        lost = [each for each in self.classes if each.change <= -class_loss and each.high < 0]
        return worst if worst in lost else next(iter(lost), None)

    @property
    def is_worth_a_class(self) -> bool:
        """Whether accuracy is certainly higher, and the mean recall of the classes is higher, too."""
        return self.low > 0 and sum(each.change for each in self.classes) > 0

    @property
    def text(self) -> str:
        """The counts in words."""
        rows, others = (self.known, "others ") if self.set_aside else (self.n, "")
        unknown = f", differs on {self.unknown} {others}of unknown truth" if self.unknown else ""
        return f"is right alone on {self.gain} and wrong alone on {self.harm} of {rows} rows{unknown}"

    def rows_missing(self, margin: float, alpha: float) -> int:
        """Return how many more rows with ground truth lift `low` above -margin, if both versions answer them alike."""
        harm, n = (self.harm, self.known) if self.set_aside else (self.harm + self.unknown, self.n)
        rows = range(MOST_MISSING)
        return bisect_left(rows, x=True, key=lambda more: tango(self.gain, harm, n + more, alpha) > -margin)


def compare(
    candidate: Ints, baseline: Ints, truth: Ints, classes: Sequence[str], alphas: tuple[float, float]
) -> PairedComparison:
    """Compare two versions on rows.

    Args:
        candidate: its answers, class indices `[rows]`.
        baseline: the other version's answers.
        truth: class indices, -1 where unknown; ground truths are known of rows drawn by chance.
        classes: the class names, by index.
        alphas: the level of the lower limit, then of the upper limits; the latter is shared out among the classes.
    """
    differ = candidate != baseline
    gains, harms = differ & (candidate == truth), differ & (baseline == truth)
    changes = []
    for index, name in enumerate(classes):
        own = truth == index
        changes.append(ClassChange(name, int(gains[own].sum()), int(harms[own].sum()), int(own.sum())))
    unknown, known = int((differ & (truth < 0)).sum()), int((truth >= 0).sum())
    counted = PairedComparison(int(gains.sum()), int(harms.sum()), unknown, len(truth), known, classes=tuple(changes))
    return with_limits(counted, alphas)


def with_limits(counted: PairedComparison, alphas: tuple[float, float]) -> PairedComparison:
    """Return a comparison with the limits that belong to its counts; the arguments are as for `compare`.

    Where the versions differ on many rows of unknown truth, the rows without ground truth would only widen the limits,
    and are set aside. This choice takes half of the differing rows as gains. It does not look at which version was
    right: a choice by the result would make the limits wrong.
    """
    gain, harm, unknown, n = counted.gain, counted.harm, counted.unknown, counted.n
    half, other = (gain + harm) // 2, (gain + harm + 1) // 2
    set_aside = tango(half, other, counted.known, alphas[0]) > tango(half, other + unknown, n, alphas[0])
    if set_aside:
        unknown, n = 0, counted.known
    low, high = tango(gain, harm + unknown, n, alphas[0]), -tango(harm, gain + unknown, n, alphas[1])
    level = alphas[1] / max(len(counted.classes), 1)
    classes = tuple(replace(each, high=-tango(each.harm, each.gain, each.n, level)) for each in counted.classes)
    return replace(counted, set_aside=set_aside, low=low, high=high, classes=classes)

"""The comparison of a candidate with a reference, row by row.

A row on which two versions answer alike makes no difference between them, whatever its ground truth. So rows without
ground truth count in full where the versions agree, and a ground truth is needed only where they differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from common.judgement.intervals import tango
from common.problem import Ints


@dataclass(frozen=True)
class ClassChange:
    """The change of the recall of one class, on its n rows with ground truth, and the change's upper limit."""

    name: str
    gain: int
    harm: int
    n: int
    high: float

    @property
    def change(self) -> float:
        """The change of the recall; 0 without rows."""
        return (self.gain - self.harm) / self.n if self.n else 0.0


@dataclass(frozen=True)
class PairedComparison:
    """A candidate against a reference.

    Attributes:
        gain: number of rows that only the candidate answers rightly.
        harm: number of rows that only the reference answers rightly.
        unknown: number of rows without ground truth that they answer differently.
        n: number of rows that the limits are made from.
        set_aside: whether the limits are made from rows with ground truth alone.
        low: the lower limit of the difference of accuracy; it counts each unknown row as harm.
        high: the upper limit; it counts each unknown row as a gain.
        classes: the changes of recall.
    """

    gain: int
    harm: int
    unknown: int
    n: int
    set_aside: bool
    low: float
    high: float
    classes: tuple[ClassChange, ...]

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
        others = "others " if self.set_aside else ""
        unknown = f", differs on {self.unknown} {others}of unknown truth" if self.unknown else ""
        return f"is right alone on {self.gain} and wrong alone on {self.harm} of {self.n} rows{unknown}"

    def rows_missing(self, margin: float, alpha: float) -> int:
        """Return how many further rows with ground truth, which both answer alike, lift `low` above -margin at most."""

        def is_enough(rows: int) -> bool:
            return tango(self.gain, self.harm + unknown, self.n + rows, alpha) > -margin

        unknown = 0 if self.set_aside else self.unknown
        if is_enough(0):
            return 0
        few, many = 0, 1
        while not is_enough(many):
            few, many = many, 2 * many
        while many - few > 1:
            middle = (few + many) // 2
            few, many = (few, middle) if is_enough(middle) else (middle, many)
        return many


def compare(
    candidate: Ints, reference: Ints, truth: Ints, classes: Sequence[str], alphas: tuple[float, float]
) -> PairedComparison:
    """Compare two versions on rows.

    Where the versions differ on many rows of unknown truth, the rows without ground truth make the limit worse, and are
    set aside. The choice supposes that the versions are equally good where they differ: it looks at no version's
    being right, so that the limits hold.

    Args:
        candidate: its answers, class indices `[rows]`.
        reference: the other version's answers.
        truth: class indices, -1 where unknown; the rows with a ground truth are as any others.
        classes: the class names, by index.
        alphas: the level of the lower limit, then of the upper ones; the classes share out the latter.
    """
    differ, known = candidate != reference, truth >= 0
    gains, harms = differ & (candidate == truth), differ & (reference == truth)
    gain, harm, unknown = int(gains.sum()), int(harms.sum()), int((differ & ~known).sum())
    half, other = (differing := int((differ & known).sum())) // 2, differing - differing // 2
    labelled, (alpha, high_alpha) = int(known.sum()), alphas
    set_aside = tango(half, other, labelled, alpha) > tango(half, other + unknown, len(truth), alpha)
    n, counted = (labelled, 0) if set_aside else (len(truth), unknown)
    low, high = tango(gain, harm + counted, n, alpha), -tango(harm, gain + counted, n, high_alpha)
    changes = []
    for index, name in enumerate(classes):
        own = truth == index
        better, worse, rows = int(gains[own].sum()), int(harms[own].sum()), int(own.sum())
        limit = -tango(worse, better, rows, high_alpha / len(classes))
        changes.append(ClassChange(name, better, worse, rows, limit))
    return PairedComparison(gain, harm, unknown, n, set_aside, low, high, tuple(changes))

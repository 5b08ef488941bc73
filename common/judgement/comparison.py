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
        n: number of all rows.
        low: the lower limit of the difference of accuracy; it counts each unknown row as harm.
        high: the upper limit; it counts each unknown row as a gain.
        classes: the changes of recall.
    """

    gain: int
    harm: int
    unknown: int
    n: int
    low: float
    high: float
    classes: tuple[ClassChange, ...]

    def lost(self, class_loss: float) -> ClassChange | None:
        """Return the class that has certainly lost recall, and at least `class_loss` of it; None if there is none."""
        worst = min(self.classes, key=lambda each: each.change, default=None)
        lost = [each for each in self.classes if each.change <= -class_loss and each.high < 0]
        return worst if worst in lost else next(iter(lost), None)

    @property
    def text(self) -> str:
        """The counts in words."""
        unknown = f", differs on {self.unknown} of unknown truth" if self.unknown else ""
        return f"is right alone on {self.gain} and wrong alone on {self.harm} of {self.n} rows{unknown}"

    def rows_missing(self, margin: float, alpha: float) -> int:
        """Return how many further rows, which both answer alike, would lift the lower limit above -margin."""

        def is_enough(rows: int) -> bool:
            return tango(self.gain, self.harm + self.unknown, self.n + rows, alpha) > -margin

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

    Args:
        candidate: its answers, class indices `[rows]`.
        reference: the other version's answers.
        truth: class indices, -1 where unknown.
        classes: the class names, by index.
        alphas: the level of the lower limit, then of the upper limits; the latter is shared out among the classes.
    """
    differ = candidate != reference
    gains, harms = differ & (candidate == truth), differ & (reference == truth)
    gain, harm, n = int(gains.sum()), int(harms.sum()), len(truth)
    unknown = int((differ & (truth < 0)).sum())
    low, high = tango(gain, harm + unknown, n, alphas[0]), -tango(harm, gain + unknown, n, alphas[1])
    changes = []
    for index, name in enumerate(classes):
        own = truth == index
        better, worse, rows = int(gains[own].sum()), int(harms[own].sum()), int(own.sum())
        limit = -tango(worse, better, rows, alphas[1] / len(classes))
        changes.append(ClassChange(name, better, worse, rows, limit))
    return PairedComparison(gain, harm, unknown, n, low, high, tuple(changes))

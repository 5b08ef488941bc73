"""The result of a replay as the store, the page and the command line have it. `trust/replay/figures.py` computes it."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from common.evaluate import Estimate

# With fewer rows a figure is "not enough data": the limits of `monitor/statistics/enough.py`, for all rows and for the
# ground truths of one class.
LEAST_ROWS, LEAST_CLASS_TRUTHS = 50, 20
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
PAGE_ROWS, PAGE_CHANGED = 10_000, 1_000  # of a replay that is started on the page: its rows, its kept changes
MOST_LISTED = 20  # served versions, and changes from one class to another


class ReplayFigure(BaseModel):
    """A base for figures that the store keeps as JSON."""

    model_config = ConfigDict(frozen=True)


class TruthFigures(ReplayFigure):
    """The replayed version against the served ones, on rows with ground truth.

    Attributes:
        truths: the number of rows with ground truth.
        gain: the number of them that only the replayed version answers rightly.
        harm: the number of them that only the served version answered rightly.
        before: the share that was answered rightly; None with too few rows, like all that follows.
        after: the share that the replayed version answers rightly.
        change: the difference of the shares, with Tango's interval.
    """

    truths: int
    gain: int
    harm: int
    before: Estimate | None
    after: Estimate | None
    change: Estimate | None


class ConfidenceFigures(ReplayFigure):
    """Confidences of some rows: their mean with its interval, and their quantiles, in the order of `QUANTILES`."""

    mean: Estimate
    quantiles: list[float]


class ConfidenceDrift(ReplayFigure):
    """The confidences of the same rows before and after; None of fewer than `LEAST_ROWS` rows.

    Attributes:
        rows: the number of rows with a confidence before and after.
        before: those of the served versions.
        after: those of the replayed version.
        change: the mean of the rows' changes.
    """

    rows: int
    before: ConfidenceFigures | None
    after: ConfidenceFigures | None
    change: Estimate | None


class ReplayedClass(ReplayFigure):
    """One class.

    Attributes:
        name: of the class.
        served: the number of rows that were answered with it.
        alike: the share of them that the replayed version answers with it, too.
        replayed: the number of rows that the replayed version answers with it.
        recall: right answers on rows whose ground truth it is.
        confidence: of the rows that were answered with it.
    """

    name: str
    served: int
    alike: Estimate | None
    replayed: int
    recall: TruthFigures
    confidence: ConfidenceDrift


class ServedVersionRows(ReplayFigure):
    """The rows that one version had answered, and the share of them that is answered alike."""

    version: int
    rows: int
    alike: Estimate | None


class ReplayedChange(ReplayFigure):
    """Rows that were answered with one class and are now answered with another one."""

    served: str
    replayed: str
    rows: int
    gain: int
    harm: int


class ReplaySummary(ReplayFigure):
    """The result of a replay.

    Attributes:
        version: the number of the replayed version.
        rows: the number of rows that were answered again.
        skipped: the number of rows without the features that the version takes.
        first: the time of the first row.
        last: the time of the last row.
        alike: the share of equal answers; None with fewer than `LEAST_ROWS` rows.
        changed: the number of different answers.
        unknown: the number of different answers without ground truth.
        accuracy: right answers on rows with ground truth.
        confidence: of all rows.
        classes: by class, in the order of the model's classes, then by name.
        changes: from class to class, the most frequent ones first, at most `MOST_LISTED`.
        served: by served version, the newest first, at most `MOST_LISTED`.
    """

    version: int
    rows: int
    skipped: int
    first: datetime
    last: datetime
    alike: Estimate | None
    changed: int
    unknown: int
    accuracy: TruthFigures
    confidence: ConfidenceDrift
    classes: list[ReplayedClass]
    changes: list[ReplayedChange]
    served: list[ServedVersionRows]


class PageReplay(ReplayFigure):
    """The result of a replay that was started on the page, as the store keeps it.

    Attributes:
        figures: of all rows.
        columns: the names of the features, in order.
        changed: the first `PAGE_CHANGED` changed answers: prediction id, class and confidence of the replayed version.
            The rows themselves stay in the log alone, so that erasing one there erases it here.
    """

    figures: ReplaySummary
    columns: list[str]
    changed: list[tuple[str, str, float | None]]

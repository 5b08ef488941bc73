"""A logged time asked of another version: which answers change, and whether they get better. Pure functions.

A replay feeds the log, chunk by chunk, to `Replay.add`. It keeps counts only, so that its memory does not grow with the
rows; `trust/replay/figures.py` turns the counts into figures.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from common.bundle.model import OnnxModel
from common.features import Feature, Value
from common.store.trust.replays import LoggedAnswer

BINS = 1_000  # of the confidences, so that a quantile is right to 0.001
NUMBER = (float, int)
TYPES: Mapping[str, type | tuple[type, ...]] = {"number": NUMBER, "category": str}
Doubles = npt.NDArray[np.float64]


class ReplayError(RuntimeError):
    """A replay has no result; the message says why, in words."""


class ChangedAnswer(NamedTuple):
    """A logged row that the replayed version answers differently; no confidence from a model without probabilities."""

    logged: LoggedAnswer
    class_name: str
    confidence: float | None


class AnswerKind(NamedTuple):
    """Rows with the same served version, served class, replayed class and ground truth count together."""

    version: int
    served: str
    replayed: str
    truth: str | None


@dataclass(frozen=True)
class ReplayedVersion:
    """The version that answers again.

    Attributes:
        number: of the version.
        model: its bundle.
        columns: the types of its features by name, in order.
    """

    number: int
    model: OnnxModel
    columns: Mapping[str, type | tuple[type, ...]]

    def values(self, row: LoggedAnswer) -> list[Any] | None:
        """Return the values of the features of a row, in order; None if one is missing or of the wrong type."""
        values = list(map(row.features.get, self.columns))
        return values if all(map(isinstance, values, self.columns.values())) else None

    def misfit(self, row: LoggedAnswer) -> str | None:
        """Return the first feature that a row lacks, or has as a name instead of a number or the other way round."""
        for name, kind in self.columns.items():
            if not isinstance(row.features.get(name), kind):
                return name
        return None


class Confidences:
    """Counts of confidences before and after, on the same rows."""

    def __init__(self) -> None:
        """Begin without rows."""
        self.rows = 0
        self.sums = np.zeros(3)  # of the confidences before, after, and of their differences
        self.squares = np.zeros(3)
        self.bins = np.zeros((2, BINS), dtype=np.int64)

    def add(self, before: Doubles, after: Doubles) -> None:
        """Count rows: both `[rows]`, between 0 and 1."""
        columns = np.stack([before, after, after - before])
        self.rows += len(before)
        self.sums += columns.sum(axis=1)
        self.squares += (columns**2).sum(axis=1)
        places = np.clip(np.stack([before, after]) * BINS, 0, BINS - 1).astype(np.int64)
        self.bins += [np.bincount(each, minlength=BINS) for each in places]


@dataclass
class Replay:
    """A replay under way.

    Attributes:
        version: the version that answers again.
        kinds: the number of rows of each kind.
        confidences: by the served class, of rows that have a confidence before and after.
        skipped: the number of rows that lack a feature of the version.
        first: the time of the first row in the order of time; None before.
        last: the time of the last row.
    """

    version: ReplayedVersion
    kinds: Counter[AnswerKind] = field(default_factory=Counter)
    confidences: defaultdict[str, Confidences] = field(default_factory=lambda: defaultdict(Confidences))
    skipped: int = 0
    first: datetime | None = None
    last: datetime | None = None

    @property
    def rows(self) -> int:
        """The number of rows that were answered again."""
        return self.kinds.total()

    def run(self, chunks: Iterable[Sequence[LoggedAnswer]]) -> Iterator[tuple[int, list[ChangedAnswer]]]:
        """Answer chunks of the log; yield after each one the number of its rows, and the answers that have changed.

        Raises:
            ReplayError: there are no rows; the version cannot answer; or its features are those of another problem.
        """
        asked: LoggedAnswer | None = None
        for chunk in chunks:
            asked = chunk[0]
            yield len(chunk), self.add(chunk)
        if asked is None:
            raise ReplayError("the log has no row of this problem in this time")
        if not self.rows:
            raise ReplayError(
                f"no logged row fits version {self.version.number}, which has other features: "
                f"prediction {asked.id} has no usable {self.version.misfit(asked)!r}"
            )

    def add(self, chunk: Sequence[LoggedAnswer]) -> list[ChangedAnswer]:
        """Answer rows again and count them; return the answers that have changed, in the order of the rows.

        Raises:
            ReplayError: the version cannot answer.
        """
        fitting = [(row, values) for row in chunk if (values := self.version.values(row))]
        self.skipped += len(chunk) - len(fitting)
        if not fitting:
            return []
        rows = [row for row, _ in fitting]
        classes, confidences = self._answers([values for _, values in fitting])
        self._count(rows, classes, confidences)
        places = [place for place, row in enumerate(rows) if row.class_name != classes[place]]
        shown = confidences.tolist() if confidences is not None else [None] * len(rows)
        return [ChangedAnswer(rows[place], classes[place], shown[place]) for place in places]

    def _answers(self, rows: Sequence[Sequence[Value]]) -> tuple[list[str], Doubles | None]:
        model = self.version.model
        try:
            answer = model.predict(model.as_rows(rows))
            answer.check_form(len(rows), model.classes)
        # onnxruntime's exceptions have no common base of their own.
        except Exception as error:
            raise ReplayError(f"version {self.version.number} cannot answer: {_one_line(error)}") from error
        shares = answer.probabilities
        classes = [model.classes[label] for label in answer.labels.tolist()]
        return classes, shares.max(axis=1).astype(np.float64) if shares is not None else None

    def _count(self, rows: Sequence[LoggedAnswer], classes: Sequence[str], confidences: Doubles | None) -> None:
        self.kinds.update(
            AnswerKind(row.version, row.class_name, name, row.truth) for row, name in zip(rows, classes, strict=True)
        )
        moments = (rows[0].predicted_at, rows[-1].predicted_at)
        self.first, self.last = min(moments + _known(self.first)), max(moments + _known(self.last))
        if confidences is None:
            return
        before = np.array([row.confidence for row in rows], dtype=np.float64)  # None becomes NaN
        served = np.array([row.class_name for row in rows])
        for name in np.unique(served).tolist():
            own = (served == name) & np.isfinite(before)
            if own.any():
                self.confidences[name].add(before[own], confidences[own])


def replayed_version(number: int, model: OnnxModel, problem: str, features: Sequence[Feature] = ()) -> ReplayedVersion:
    """Return a version with the features that it takes.

    Args:
        number: of the version.
        model: its bundle, whose metadata name problem and features if the lab has made it.
        problem: the name of the problem whose log it shall answer.
        features: the problem's features, for a bundle that names none.

    Raises:
        ReplayError: the bundle is of another problem, or nobody knows its features.
    """
    of = model.metadata.get("problem", problem)
    if of != problem:
        raise ReplayError(f"version {number} is of the problem {of}, not of {problem}")
    named: Any = model.metadata.get("features")
    try:
        kinds = {str(each["name"]): each["kind"] for each in named} if named else {f.name: f.kind for f in features}
    except (KeyError, TypeError) as error:
        raise ReplayError(f"the features in the bundle of version {number} are damaged: {error!r}") from error
    if not kinds or model.width not in (None, len(kinds)):
        raise ReplayError(f"version {number} takes {model.width or 'any number of'} features; {len(kinds)} are known")
    return ReplayedVersion(number, model, {name: TYPES.get(kind, NUMBER) for name, kind in kinds.items()})


def _known(moment: datetime | None) -> tuple[datetime, ...]:
    return (moment,) if moment else ()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or repr(error)

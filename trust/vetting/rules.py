"""The rules of vetting: which corrections look wrong beside the rows whose class is known, each with its reason.

Pure functions. `Grounds` has the known rows: those of train.csv, and live rows whose truth a trusted source told. The
anchor is the version that somebody vouched for; its answers come as arrays, so that any model can be asked.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from common.bundle.model import OnnxModel
from common.problem import Floats, Ints, Problem, Rows, Table, as_float32
from trust.vetting.nearness import Crowd, Space, nearest, space_of

Rule = Literal["known", "contradiction", "outlier", "improbable", "quota", "share"]


@dataclass(frozen=True)
class VettingLimits:
    """The limits of the rules; their defaults are those of the settings.

    Attributes:
        neighbours: how many of the nearest known rows to look at.
        probability: the claimed class must have at least this probability, by these rows and the anchor together.
    """

    neighbours: int = 10
    probability: float = 0.175


@dataclass(frozen=True)
class AnchorAnswer:
    """The answer of the anchor to rows.

    Attributes:
        labels: class indices of the problem `[rows]`; -1 for a class that the problem does not have.
        probabilities: `[rows, classes]` by the problem's classes; None from an anchor without probabilities.
        scores: outlier scores `[rows]`; None from an anchor without them.
        threshold: a row with a lower score is an outlier.
    """

    labels: Ints
    probabilities: Floats | None = None
    scores: Floats | None = None
    threshold: float = 0.0


@dataclass(frozen=True)
class Finding:
    """Why a correction may not be learnt without a review: the rule, its figure, and the reason in words."""

    rule: Rule
    number: float | None
    reason: str


def ask_anchor(bundle: OnnxModel, problem: Problem, X: Rows) -> AnchorAnswer:
    """Return what the anchor's bundle answers to rows `[rows, features]`.

    Raises:
        ModelError: the bundle cannot answer.
    """
    classes = problem.target.classes
    places = np.array([classes.index(each) if each in classes else -1 for each in bundle.classes], dtype=np.int64)
    answer = bundle.predict(bundle.as_rows(X))
    probabilities = None
    if answer.probabilities is not None:
        known = places >= 0
        probabilities = np.zeros((len(X), len(classes)))
        probabilities[:, places[known]] = answer.probabilities[:, known]
    scores, threshold = answer.outlier_scores, bundle.outlier_threshold
    has_scores = scores is not None and threshold is not None
    return AnchorAnswer(places[answer.labels], probabilities, scores if has_scores else None, threshold or 0.0)


def keys_of(X: Rows) -> list[str]:
    """Return for each row `[rows, features]` a text that only equal rows share; models take numbers as float32."""
    return [hashlib.md5(repr(row).encode(), usedforsecurity=False).hexdigest() for row in as_float32(X).tolist()]


class Grounds:
    """The rows whose class is known, and with which vetting compares corrections.

    Attributes:
        problem: gives features and classes.
        space: in which distances are measured.
        known: the known rows: those of train.csv, then the live rows.
        places: the places of the known rows `[known, dimensions]`.
        live: the live rows alone.
    """

    def __init__(self, problem: Problem, train: Table, live: Table | None = None) -> None:
        """Take the rows of train.csv, and the live rows whose truth a trusted source told."""
        live = live or Table(train.X[:0], train.y[:0])
        self.problem = problem
        self.space: Space = space_of(problem, train.X)
        at, live_at = self.space.place(train.X), self.space.place(live.X)
        self.known = Table(np.concatenate([train.X, live.X]), np.concatenate([train.y, live.y]))
        self.places: Floats = np.concatenate([at, live_at])
        self.live, self._train = Crowd(live_at), Crowd(at)
        self._labels: dict[str, set[int]] = {}
        for key, label in zip(keys_of(train.X), train.y.tolist(), strict=True):
            self._labels.setdefault(key, set()).add(label)

    def labels_of(self, key: str) -> set[int]:
        """Return the classes that train.csv gives to the row with this key."""
        return self._labels.get(key, set())

    def familiar(self, places: Floats) -> npt.NDArray[np.bool_]:
        """Return for each place `[rows, dimensions]` whether it is among the training rows or among the live rows."""
        return self._train.has(places) | self.live.has(places)

    def share(self, places: Floats, y: Ints, count: int) -> Floats:
        """Return the share of the `count` nearest known rows that have the class `y` `[rows]`, or of all known rows."""
        return _share(places, y, self.places, self.known.y, count)

    def live_share(self, places: Floats, y: Ints, count: int) -> Floats:
        """Return the share of the `count` nearest live rows that have the class `y` `[rows]`; 0 of fewer live rows."""
        live = self.live.places
        if len(live) < count:
            return np.zeros(len(places))
        return _share(places, y, live, self.known.y[len(self.known.y) - len(live) :], count)


class Chances(NamedTuple):
    """Estimates of the probability of the claimed classes, each `[rows]`.

    Attributes:
        near: the share of the nearest known rows that have the class.
        anchor: the anchor's probability, or the share of the nearest live rows if that is larger.
        together: the mean of the two.
    """

    near: Floats
    anchor: Floats
    together: Floats


def strange(
    grounds: Grounds, rows: Table, anchor: AnchorAnswer, limits: VettingLimits | None = None
) -> list[Finding | None]:
    """Return for each correction the first of the rules outlier and improbable that it breaks; None if none.

    Args:
        grounds: the known rows.
        rows: the corrections, with the claimed classes.
        anchor: what the anchor answers to them.
        limits: of the rules.
    """
    limits = limits or VettingLimits()
    if not len(rows.y):
        return []
    places = grounds.space.place(rows.X)
    found: list[Finding | None] = [None] * len(rows.y)
    chances = _chances(grounds, rows, places, anchor, limits.neighbours)
    for row in np.flatnonzero(chances.together < limits.probability):
        name = grounds.problem.target.classes[rows.y[row]]
        near, given, together = (float(each[row]) for each in chances)
        found[row] = improbable(name, near, given, together, limits)
    for row in _outliers(grounds, places, anchor):
        assert anchor.scores is not None  # noqa: S101  # `_outliers` finds nothing without
        found[row] = outlier(float(anchor.scores[row]), anchor.threshold)
    return found


def vet_rows(
    grounds: Grounds,
    rows: Table,
    anchor: AnchorAnswer,
    limits: VettingLimits | None = None,
    others: Mapping[str, set[int]] | None = None,
) -> list[Finding | None]:
    """Return for each correction the first rule that it breaks; None for one that may be learnt.

    Args:
        grounds: the known rows.
        rows: the corrections that come together, with the claimed classes.
        anchor: what the anchor answers to them.
        limits: of the rules.
        others: the classes that earlier corrections give to rows, by their keys.
    """
    keys, claimed = keys_of(rows.X), rows.y.tolist()
    in_batch: dict[str, set[int]] = {}
    for key, label in zip(keys, claimed, strict=True):
        in_batch.setdefault(key, set()).add(label)
    found = strange(grounds, rows, anchor, limits)
    seen: set[tuple[str, int]] = set()
    for row, (key, label) in enumerate(zip(keys, claimed, strict=True)):
        in_train, elsewhere = grounds.labels_of(key), (others or {}).get(key, set())
        if label in in_train | elsewhere or (key, label) in seen:
            found[row] = known("train.csv" if label in in_train else "another correction")
        elif against := (in_train | elsewhere | in_batch[key]) - {label}:
            place = "train.csv" if against & in_train else "another correction"
            found[row] = contradiction(place, [grounds.problem.target.classes[each] for each in sorted(against)])
        seen.add((key, label))
    return found


def known(place: str) -> Finding:
    """Return the finding on a correction whose row has the same class in `place` already."""
    return Finding("known", None, f"known: {place} has the same row with the same class")


def contradiction(place: str, classes: Sequence[str]) -> Finding:
    """Return the finding on a correction whose row has another class in `place`."""
    return Finding("contradiction", float(len(classes)), f"{place} says {' and '.join(classes)} for the same row")


def outlier(score: float, threshold: float) -> Finding:
    """Return the finding on a row that the anchor calls an outlier."""
    reason = f"the row is unlike all known rows: its outlier score is {score:.3g}, and {threshold:.3g} is the least"
    return Finding("outlier", score, reason)


def improbable(name: str, near: float, anchor: float, together: float, limits: VettingLimits) -> Finding:
    """Return the finding on a class that is improbable by the nearest known rows and the anchor; see `Chances`."""
    reason = (
        f"the probability of {name} is {100 * together:.1f} %, and {100 * limits.probability:.1f} % is the least: the "
        f"mean of {100 * near:.0f} % by the {limits.neighbours} nearest known rows and of {100 * anchor:.1f} % by the "
        "anchor"
    )
    return Finding("improbable", together, reason)


def _outliers(grounds: Grounds, places: Floats, anchor: AnchorAnswer) -> Ints:
    if anchor.scores is None:
        return np.zeros(0, dtype=np.int64)
    suspects = np.flatnonzero(anchor.scores < anchor.threshold)
    return suspects[~grounds.familiar(places[suspects])]


def _chances(grounds: Grounds, rows: Table, places: Floats, anchor: AnchorAnswer, count: int) -> Chances:
    near = grounds.share(places, rows.y, count)
    if anchor.probabilities is None:
        return Chances(near, near, near)
    given = np.where(rows.y >= 0, anchor.probabilities[np.arange(len(rows.y)), rows.y], 0.0)
    # The anchor may not know that the world has changed.
    given = np.maximum(given, grounds.live_share(places, rows.y, count))
    return Chances(near, given, (near + given) / 2)


def _share(places: Floats, y: Ints, among: Floats, labels: Ints, count: int) -> Floats:
    found, _ = nearest(places, among, count)
    share: Floats = (labels[found] == y[:, None]).mean(axis=1)
    return share

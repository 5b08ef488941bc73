"""The reference of a version: what its bundle knows of the training rows, and of its answers to the test rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from common.problem import Ints

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NumberReference:
    """A number, such as a feature, in the rows of the reference.

    Attributes:
        rows: their number.
        mean: of all rows.
        std: their standard deviation.
        quantiles: 101 of them, evenly spaced from the least value to the largest.
        edges: the upper ends of the bins, which belong to the bins; the last bin has none.
        shares: the share of the rows in each bin, one more than there are edges.
        usual: mean and standard deviation of the rows that are no outliers; None in a bundle without them.
    """

    rows: int
    mean: float
    std: float
    quantiles: Floats
    edges: Floats
    shares: Floats
    usual: tuple[float, float] | None = None


@dataclass(frozen=True)
class CategoryReference:
    """A category in the rows of the reference: their number, and the share of each name."""

    rows: int
    shares: Mapping[str, float]


SubjectReference = NumberReference | CategoryReference


@dataclass(frozen=True)
class Results:
    """A version's answers to the test rows: class names, and counts `[true class, predicted class]`."""

    classes: Sequence[str]
    matrix: Ints


@dataclass(frozen=True)
class Reference:
    """The training rows of a version, and its answers to rows that were not among them.

    Attributes:
        version: its number.
        classes: their names, in order.
        class_counts: rows of the training data, by class.
        features: by name.
        answers: the share of each class among the answers; None in a bundle without them.
        confidence: the probability of the predicted class; None, too, for a model without probabilities.
        tested: the answers to the test rows beside their ground truth; None in a bundle without them.
    """

    version: int
    classes: tuple[str, ...]
    class_counts: Mapping[str, int]
    features: Mapping[str, SubjectReference]
    answers: CategoryReference | None
    confidence: NumberReference | None
    tested: Results | None = None


def read_reference(version: int, metadata: Mapping[str, Any]) -> Reference | None:
    """Return the reference in the metadata of a version's bundle; None if it is absent or damaged."""
    try:
        found, classes = metadata["reference"], metadata["classes"]
        rows, answers, usual = found["rows"], found.get("answers"), found.get("usual", {})
        return Reference(
            version,
            tuple(classes),
            dict(zip(classes, found["class_counts"], strict=True)),
            {name: _feature(rows, feature, usual.get(name)) for name, feature in found["features"].items()},
            _category(answers["rows"], answers["classes"]) if answers else None,
            read_number(answers["rows"], answers["confidence"]) if answers and answers["confidence"] else None,
            _tested(classes, answers["confusion"]) if answers and "confusion" in answers else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def read_number(rows: int, statistics: Mapping[str, Any]) -> NumberReference:
    """Return the reference of a number from its statistics in a bundle.

    Raises:
        KeyError, TypeError, ValueError: the statistics are incomplete or damaged.
    """
    bins = statistics["bins"]
    edges, shares, quantiles = (
        np.array(values, dtype=np.float64) for values in (bins["edges"], bins["shares"], statistics["quantiles"])
    )
    if rows < 1 or len(shares) != len(edges) + 1:
        raise ValueError(f"{len(shares)} shares for {len(edges)} edges")
    return NumberReference(rows, float(statistics["mean"]), float(statistics["std"]), quantiles, edges, shares)


def _feature(rows: int, statistics: Mapping[str, Any], usual: Mapping[str, Any] | None) -> SubjectReference:
    if "shares" in statistics:
        return _category(rows, statistics)
    number = read_number(rows, statistics)
    return replace(number, usual=(float(usual["mean"]), float(usual["std"]))) if usual else number


def _tested(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> Results:
    matrix = np.array(counts, dtype=np.int64)
    if matrix.shape != (len(classes), len(classes)) or (matrix < 0).any():
        raise ValueError(f"counts of {matrix.shape} for {len(classes)} classes")
    return Results(tuple(classes), matrix)


def _category(rows: int, statistics: Mapping[str, Any]) -> CategoryReference:
    if rows < 1 or not statistics["shares"]:
        raise ValueError("a category without rows or names")
    return CategoryReference(rows, dict(statistics["shares"]))

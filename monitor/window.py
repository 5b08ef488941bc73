"""The newest predictions, held against what the model learnt from. Pure: rows and references in, numbers out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from common.store.predictions import PredictionRow
from monitor.reference import FeatureReference, Reference

ENOUGH_ROWS = 500  # below that the index is noise
SMALLEST_SHARE = 1e-4  # for a bin without rows, whose logarithm there would not be

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Window:
    """What some rows say together; None where there is nothing to say it from.

    Attributes:
        rows: how many.
        outliers: the share of outliers, among the rows that tell.
        confidence: the mean probability of the class that was answered.
        means: of each feature.
        psi: how far each feature is from the training rows: the population stability index.
    """

    rows: int
    outliers: float | None
    confidence: float | None
    means: Mapping[str, float]
    psi: Mapping[str, float]


def evaluate_window(rows: Sequence[PredictionRow], reference: Reference) -> Window:
    """Evaluate some rows of one problem; those of a feature that the reference does not know have no index."""
    columns = _columns(rows)
    return Window(
        rows=len(rows),
        outliers=_mean([row["is_outlier"] for row in rows]),
        confidence=_mean([row["confidence"] for row in rows]),
        means={name: float(values.mean()) for name, values in columns.items()},
        psi={
            name: population_stability(reference[name], values)
            for name, values in columns.items()
            if name in reference and len(values) >= ENOUGH_ROWS
        },
    )


def population_stability(reference: FeatureReference, values: Floats) -> float:
    """Return the population stability index of `values` `[rows]` against the bins of the reference.

    The sum over the bins of (p - q) ln(p / q), with p the share of the values and q that of the reference: 0 for the
    same distribution; above 0.2 is commonly called a shift. Source: N. Siddiqi, "Credit Risk Scorecards", 2006.
    """
    counts = np.bincount(np.searchsorted(reference.edges, values), minlength=len(reference.shares))
    actual = np.maximum(counts / len(values), SMALLEST_SHARE)
    expected = np.maximum(reference.shares, SMALLEST_SHARE)
    return float(((actual - expected) * np.log(actual / expected)).sum())


def _columns(rows: Sequence[PredictionRow]) -> dict[str, Floats]:
    numbers = [name for name, value in rows[0]["features"].items() if not isinstance(value, str)] if rows else []
    return {name: np.array([row["features"][name] for row in rows], dtype=np.float64) for name in numbers}


def _mean(values: Sequence[float | bool | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None

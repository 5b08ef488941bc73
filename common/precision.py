"""Single precision (float32), in which models are asked: the columns whose values it cannot hold."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from common.problem import Classifier, Floats, Ints, Problem, Rows, Table, as_float32

# Warn if float32 merges more than this share of a column's different values; random float64 numbers lose a few.
MERGED_SHARE = 0.01


def number_columns(problem: Problem, table: Table) -> Iterator[tuple[str, Floats]]:
    """Yield name and values `[rows]` of each column of numbers."""
    for index, feature in enumerate(problem.features):
        if feature.kind == "number":
            yield feature.name, table.X[:, index].astype(np.float64)


def merged_columns(problem: Problem, table: Table) -> Iterator[str]:
    """Yield a warning for each column of numbers that loses different values in float32, a model's input type."""
    for name, column in number_columns(problem, table):
        values = np.unique(column)
        same = np.diff(values.astype(np.float32)) == 0
        if same.sum() > MERGED_SHARE * len(values):
            low, high = values[same.argmax() : same.argmax() + 2].tolist()
            yield (
                f"column {name}: {low!r} and {high!r} are the same for a model, which is asked in float32 "
                f"({len(values)} different values become {len(values) - same.sum()}): subtract an origin from the "
                "column, or use another unit"
            )


def column_to_blame(features: Sequence[Mapping[str, Any]], model: Classifier, X: Rows, different: Ints) -> str:
    """Return the column whose rounding changes most labels, with a value before and after.

    Args:
        features: name and kind of each feature, as the metadata of a bundle have them.
        model: the classifier.
        X: rows of features `[rows, features]`.
        different: the indices of the rows whose labels differ in single precision.
    """
    exact, rounded = X[different], as_float32(X[different])

    def effect(index: int) -> tuple[int, float]:
        """Return how many labels change if only this column is rounded, and how much of its spread rounding takes."""
        one = exact.copy()
        one[:, index] = rounded[:, index]
        column = X[:, index].astype(np.float64)
        lost = np.abs(column - column.astype(np.float32)).max() / (column.std() or 1.0)
        return int((model.predict(one) != model.predict(exact)).sum()), float(lost)

    worst = max((index for index, feature in enumerate(features) if feature["kind"] == "number"), key=effect)
    values = f"{float(exact[0, worst])!r} becomes {float(rounded[0, worst])!r}"
    return f"column {features[worst]['name']}: {values}"

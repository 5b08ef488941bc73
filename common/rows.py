"""Rows of features with their classes, and a fitted classifier: the types that all parts share."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
# Rows of features `[rows, features]`: float64 if all features are numbers, else objects, which are floats and strings.
Rows = npt.NDArray[Any]


@dataclass(frozen=True)
class Table:
    """Rows of a problem: `X` is `[rows, features]`, `y` is int64 `[rows]`, indices into the classes."""

    X: Rows
    y: Ints


class Classifier(Protocol):
    """A fitted classifier with scikit-learn's methods; its classes are indices."""

    def predict(self, X: Rows) -> Ints:
        """Return class indices `[rows]` for features `[rows, features]`."""
        ...

    def predict_proba(self, X: Rows) -> Floats:
        """Return probabilities `[rows, classes]`. Some models lack this method: call `probabilities_of` instead."""
        ...

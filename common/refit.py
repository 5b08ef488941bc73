"""The second way to learn corrections: the same model, fitted anew on all rows.

The function imports scikit-learn when it needs it, because the api reads this file without scikit-learn.
"""

import warnings
from typing import Any

import numpy as np

from common.rows import Classifier, Floats, Ints, Rows, Table

WEIGHT_ORIGINAL = 0.7
WEIGHT_CORRECTION = 1.0


def weighted(original: Table, corrections: Table) -> tuple[Rows, Ints, Floats]:
    """Return the rows of both tables, their classes and their weights `[rows]`: corrections weigh more."""
    weights = np.repeat((WEIGHT_ORIGINAL, WEIGHT_CORRECTION), (len(original.y), len(corrections.y)))
    return np.concatenate([original.X, corrections.X]), np.concatenate([original.y, corrections.y]), weights


def refit(model: Any, original: Table, corrections: Table) -> Classifier:
    """Return a clone of a scikit-learn model or pipeline, fitted anew on all rows; `model` stays as it was.

    The weights go to the model, or to a pipeline's last step, if its fit takes weights.
    """
    from sklearn.base import clone
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils.validation import has_fit_parameter

    X, y, weights = weighted(original, corrections)
    name, last = model.steps[-1] if hasattr(model, "steps") else ("", model)
    named = {f"{name}__sample_weight" if name else "sample_weight": weights}
    with warnings.catch_warnings():
        # The number of epochs is one of the parameters that the search has chosen, converged or not.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted: Classifier = clone(model).fit(X, y, **(named if has_fit_parameter(last, "sample_weight") else {}))
    return fitted

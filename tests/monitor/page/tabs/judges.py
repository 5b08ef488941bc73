"""Metrics of true and predicted classes by scikit-learn."""

from collections.abc import Sequence

import numpy as np
import sklearn.metrics


def scores(truth: Sequence[str], predicted: Sequence[str]) -> dict[str, float]:
    """Accuracy, and the means of the classes that have a value."""
    classes = sorted({*truth, *predicted})
    values = sklearn.metrics.precision_recall_fscore_support(
        truth, predicted, labels=classes, average="macro", zero_division=np.nan
    )
    found = dict(zip(("precision", "recall", "f1"), map(float, values[:3]), strict=True))
    return {"accuracy": float(sklearn.metrics.accuracy_score(truth, predicted)), **found}


def class_scores(
    truth: Sequence[str], predicted: Sequence[str], classes: Sequence[str]
) -> dict[str, list[float | None]]:
    """Precision, recall, F1 and specificity of each class; None where there is nothing to divide by."""
    found = sklearn.metrics.precision_recall_fscore_support(truth, predicted, labels=classes, zero_division=np.nan)
    each = zip(*(values.tolist() for values in found[:3]), strict=True)
    return {
        name: [*(None if np.isnan(value) else value for value in values), specificity(truth, predicted, name)]
        for name, values in zip(classes, each, strict=True)
    }


def specificity(truth: Sequence[str], predicted: Sequence[str], name: str) -> float:
    """Of the rows of other classes, the share that was not taken for this one."""
    others = [answer for true, answer in zip(truth, predicted, strict=True) if true != name]
    return sum(answer != name for answer in others) / len(others)

"""Statistics of the training rows, and of the answers to the test rows, that later rows and answers are compared with.

The bundle's metadata hold them under `reference`; the monitor reads them.
"""

from typing import Any

import numpy as np

from common.bundle.answer import Answer
from common.bundle.outliers import OutlierScorer
from common.confusion import confusion
from common.problem import Floats, Ints, Problem, Rows, Table

PERCENTILES = tuple(np.linspace(0.0, 1.0, 101))


def reference_statistics(problem: Problem, train: Table) -> dict[str, Any]:
    """Return the number of training rows, the count of each class, and the statistics of each feature.

    A number has the statistics of `number_statistics`, a category the share of each name.
    """
    return {
        "rows": len(train.y),
        "class_counts": np.bincount(train.y, minlength=len(problem.target.classes)).tolist(),
        "features": {
            feature.name: number_statistics(column) if feature.kind == "number" else _shares(column)
            for feature, column in zip(problem.features, train.X.T, strict=True)
        },
    }


def usual_moments(problem: Problem, X: Rows, scorer: OutlierScorer) -> dict[str, Any]:
    """Return mean and standard deviation of each number of the training rows, without the outliers among them."""
    usual = X[scorer.score(X) >= scorer.threshold]
    numbers = {
        feature.name: column.astype(np.float64)
        for feature, column in zip(problem.features, usual.T, strict=True)
        if feature.kind == "number" and len(column)
    }
    return {name: {"mean": float(column.mean()), "std": float(column.std())} for name, column in numbers.items()}


def add_answers(metadata: dict[str, Any], answer: Answer, problem: Problem, truth: Ints) -> None:
    """Add the statistics of answers to the test rows to the metadata of a bundle; the arguments are as there."""
    metadata["reference"] = {**metadata["reference"], "answers": answer_statistics(answer, problem, truth)}


def answer_statistics(answer: Answer, problem: Problem, truth: Ints) -> dict[str, Any]:
    """Return statistics of answers to rows that the model has not learnt from; `truth` `[rows]` is their ground truth.

    They are the number of rows, the shares of the answered classes, the confusion matrix, and the statistics of the
    largest probability of each row; None for a model without probabilities.
    """
    confidence = None if answer.probabilities is None else answer.probabilities.max(axis=1)
    return {
        "rows": len(answer.labels),
        "classes": _shares(np.array(problem.target.classes)[answer.labels]),
        "confusion": confusion(truth, answer.labels, len(problem.target.classes)).tolist(),
        "confidence": None if confidence is None else number_statistics(confidence),
    }


def number_statistics(values: Rows) -> dict[str, Any]:
    """Return mean, standard deviation and percentiles of numbers `[rows]`, and the share of the rows in each bin.

    A bin includes its upper edge; the last bin has none. The edges are near the inner deciles, see `_edges`.
    """
    column: Floats = values.astype(np.float64)
    quantiles = np.quantile(column, PERCENTILES)
    edges = _edges(np.unique(column), quantiles[10:-10:10])
    shares = np.bincount(np.searchsorted(edges, column), minlength=len(edges) + 1) / len(column)
    return {
        "mean": float(column.mean()),
        "std": float(column.std()),
        "quantiles": quantiles.tolist(),
        "bins": {"edges": edges.tolist(), "shares": shares.tolist()},
    }


def _shares(column: Rows) -> dict[str, Any]:
    names, counts = np.unique(column.astype(str), return_counts=True)
    return {"shares": dict(zip(names.tolist(), (counts / len(column)).tolist(), strict=True))}


def _edges(known: Floats, deciles: Floats) -> Floats:
    """Return the edges of bins: for each decile, the middle between two neighbouring known values around it.

    Measured values repeat. With an edge on one of them, or with two edges between the same neighbours, a little noise
    or a finer scale of measurement would look like another distribution.
    """
    above = np.searchsorted(known, deciles, "right")
    above = np.unique(above[above < len(known)])
    edges: Floats = (known[above - 1] + known[above]) / 2
    return edges

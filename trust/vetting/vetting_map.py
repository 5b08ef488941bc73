"""The plane in which a reviewer sees where a correction lies among training rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from common.problem import Floats, Ints, Problem, Rows, Table
from trust.vetting.nearness import Space

MOST_POINTS = 200
SEED = 42
COMPONENTS = ("first principal component", "second principal component")


@dataclass(frozen=True)
class Plane:
    """Two dimensions of rows.

    Attributes:
        axes: their names.
        place: returns the points `[rows, 2]` of rows `[rows, features]`.
    """

    axes: tuple[str, str]
    place: Callable[[Rows], Floats]


def plane_of(problem: Problem, space: Space, train: Table) -> Plane:
    """Return the plane of the two numbers that tell the classes apart best; with fewer numbers, of components.

    A number tells classes apart the better, the larger the variance between the classes is beside the variance within
    them: Fisher's criterion, the F of an analysis of variance. The components are the first two principal components of
    the standardised rows.
    """
    if len(space.numbers) < len(COMPONENTS):
        return _components(space, train.X)
    values = space.place(train.X)[:, : len(space.numbers)]
    first, second = sorted(np.argsort(-_fisher(values, train.y), kind="stable")[:2].tolist())
    columns = [space.numbers[first], space.numbers[second]]
    names = [problem.columns[each] for each in columns]
    return Plane((names[0], names[1]), lambda X: X[:, columns].astype(np.float64))


def map_details(problem: Problem, plane: Plane, train: Table) -> dict[str, Any]:
    """Return the background of pictures, as values that JSON has.

    They are the names of the axes, at most 200 training rows as points with the index of their class, and the classes.
    Of more rows it is a sample in which rare classes have as many points as others, if they have as many rows.
    """
    places = _sample(train.y)
    points = plane.place(train.X[places]).tolist()
    return {
        "axes": list(plane.axes),
        "points": [[x, y, label] for (x, y), label in zip(points, train.y[places].tolist(), strict=True)],
        "classes": list(problem.target.classes),
    }


def _fisher(values: Floats, y: Ints) -> Floats:
    """Return for each number of `values` `[rows, numbers]` the variance between classes over that within classes."""
    means = np.array([values[y == label].mean(axis=0) for label in np.unique(y)])
    counts = np.array([(y == label).sum() for label in np.unique(y)])
    between = (counts[:, None] * (means - values.mean(axis=0)) ** 2).sum(axis=0)
    within = sum(
        ((values[y == label] - mean) ** 2).sum(axis=0) for label, mean in zip(np.unique(y), means, strict=True)
    )
    ratio: Floats = between / np.maximum(within, np.finfo(np.float64).tiny)
    return ratio


def _components(space: Space, X: Rows) -> Plane:
    places = space.place(X)
    mean = places.mean(axis=0)
    # Of a covariance, the eigenvectors with the largest eigenvalues, which come last.
    _, vectors = np.linalg.eigh(np.cov(places - mean, rowvar=False).reshape(space.width, space.width))
    axes = vectors[:, ::-1][:, :2]
    if axes.shape[1] < len(COMPONENTS):
        axes = np.hstack([axes, np.zeros((space.width, len(COMPONENTS) - axes.shape[1]))])
    return Plane(COMPONENTS, lambda rows: (space.place(rows) - mean) @ axes)


def _sample(y: Ints) -> Sequence[int]:
    """Return the places of at most 200 rows, of each class as many as possible."""
    if len(y) <= MOST_POINTS:
        return range(len(y))
    rng = np.random.default_rng(SEED)
    by_class = sorted((rng.permutation(np.flatnonzero(y == label)) for label in np.unique(y)), key=len)
    chosen: list[int] = []
    for number, places in enumerate(by_class):
        share = (MOST_POINTS - len(chosen)) // (len(by_class) - number)
        chosen += places[:share].tolist()
    return sorted(chosen)

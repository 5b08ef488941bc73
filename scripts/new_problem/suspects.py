"""Finds columns that know too much: a column that gives the class alone may have been written after the class."""

from collections.abc import Mapping

import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # pandas ships no types

from common.problem import Ints
from scripts.new_problem.reading import numbers_of

LEAST_SHARE = 0.995
MOST_ROWS = 5_000
FOLDS = 3
SEED = 42


def suspects(rows: pd.DataFrame, target: str) -> Mapping[str, float]:
    """Return the columns that give the class alone, each with the share of rows, balanced over the classes."""
    some = rows.sample(min(len(rows), MOST_ROWS), random_state=SEED)
    y: Ints = pd.factorize(some[target])[0]
    if np.bincount(y).min() < FOLDS:  # the sample of a large table may have fewer rows of a rare class
        return {}
    shares = {name: _share(some[name], y) for name in some.columns.drop(target)}
    return {name: share for name, share in shares.items() if share >= LEAST_SHARE}


def _share(column: "pd.Series[str]", y: Ints) -> float:
    """Return the share of rows whose class a small tree finds in one column, in rows that it has not seen."""
    from sklearn.model_selection import cross_val_score
    from sklearn.tree import DecisionTreeClassifier

    numbers = numbers_of(column)
    X = pd.get_dummies(column).to_numpy() if numbers is None else numbers.reshape(-1, 1)
    # A tree with more leaves would learn single rows by their numbers.
    leaves = None if numbers is None else 2 * len(np.unique(y))
    tree = DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=SEED)
    return float(cross_val_score(tree, X, y, cv=FOLDS, scoring="balanced_accuracy").mean())

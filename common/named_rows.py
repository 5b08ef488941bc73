"""Rows and classes as arrays, from the names under which the store has them."""

from collections.abc import Mapping, Sequence

import numpy as np

from common.problem import Ints, Problem, Rows, Value


def as_rows(problem: Problem, features: Sequence[Mapping[str, Value]]) -> Rows:
    """Return rows `[rows, features]` of features by name."""
    rows = [[each[name] for name in problem.columns] for each in features]
    return np.array(rows, dtype=np.float64 if problem.is_numeric else object).reshape(len(rows), len(problem.columns))


def indices_of(problem: Problem, labels: Sequence[str | None]) -> Ints:
    """Return class indices `[rows]`, -1 where the class is None or none of the problem's."""
    known = problem.target.classes
    return np.array([known.index(each) if each in known else -1 for each in labels], dtype=np.int64)

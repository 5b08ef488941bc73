"""The models that a fine-tuning compares: one for each way in which the problem can learn corrections."""

from collections.abc import Callable, Mapping
from typing import Any

from common.problem import Classifier, Problem, Table

CONTINUED, REFITTED = "continued", "refitted"
Way = Callable[[Any, Table, Table], Classifier]


def ways(problem: Problem) -> Mapping[str, Way]:
    """Return the problem's ways to learn corrections by name, the simpler one first."""
    known = {CONTINUED: problem.continue_training, REFITTED: problem.refit}
    return {name: way for name, way in known.items() if way is not None}


def candidates(problem: Problem, base: Any, original: Table, learnt: Table) -> Mapping[str, Classifier]:
    """Return the candidates by name, the simpler one first.

    Args:
        problem: offers the ways to learn.
        base: the fitted model of the last training; it stays as it was.
        original: the rows that this training learnt.
        learnt: all corrections, and the later data that have been learnt since.
    """
    return {name: way(base, original, learnt) for name, way in ways(problem).items()}

"""Whether a fine-tuned model is good enough to be registered."""

from collections.abc import Mapping
from dataclasses import dataclass

from common import evaluate
from common.problem import Ints, Problem


@dataclass(frozen=True)
class Verdict:
    """The results on the test rows, and why the model is refused, if it is."""

    metrics: Mapping[str, float]
    refused_because: str | None


def judge(problem: Problem, matrix: Ints) -> Verdict:
    """Judge a model by its accuracy on the test rows, of which the problem needs a minimum.

    Args:
        problem: says how much is needed.
        matrix: counts `[classes, classes]` of the test rows: row is the true class, column the answered one.
    """
    metrics = evaluate.summary(matrix)
    if metrics["accuracy"] >= problem.min_accuracy:
        return Verdict(metrics, None)
    return Verdict(
        metrics, f"accuracy on test.csv is {metrics['accuracy']:.1%}, and at least {problem.min_accuracy:.0%} is needed"
    )

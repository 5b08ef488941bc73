"""The gate: a fine-tuned model must be good enough to be registered."""

from collections.abc import Mapping

from common.problem import Problem


def refusal(problem: Problem, metrics: Mapping[str, float]) -> str | None:
    """Return why a model is refused; None if its accuracy on the test rows reaches the minimum of the problem."""
    if metrics["accuracy"] >= problem.min_accuracy:
        return None
    return f"accuracy on test.csv is {metrics['accuracy']:.1%}, and at least {problem.min_accuracy:.0%} is needed"

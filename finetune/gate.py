"""Whether a fine-tuned model is good enough to be registered."""

from collections.abc import Mapping
from dataclasses import dataclass

from common import evaluate
from common.problem import Classifier, Problem, Table


@dataclass(frozen=True)
class Verdict:
    """The results on the test rows, and why the model is refused, if it is."""

    metrics: Mapping[str, float]
    refused_because: str | None


def judge(problem: Problem, model: Classifier, test: Table) -> Verdict:
    """Judge a classifier by its accuracy on the test rows: what the problem sets is needed."""
    matrix = evaluate.confusion(test.y, model.predict(test.X), len(problem.target.classes))
    metrics = evaluate.summary(matrix)
    if metrics["accuracy"] >= problem.min_accuracy:
        return Verdict(metrics, None)
    return Verdict(
        metrics, f"accuracy on test.csv is {metrics['accuracy']:.1%}, and at least {problem.min_accuracy:.0%} is needed"
    )

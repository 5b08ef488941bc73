"""Whether a fine-tuned model is good enough to be registered."""

from collections.abc import Mapping
from dataclasses import dataclass

from common import evaluate
from common.problem import Classifier, Problem, Table

MIN_ACCURACY = 0.90


@dataclass(frozen=True)
class Verdict:
    """The results on the test rows, and why the model is refused, if it is."""

    metrics: Mapping[str, float]
    refused_because: str | None


def judge(problem: Problem, model: Classifier, test: Table) -> Verdict:
    """Judge a classifier by its accuracy on the test rows: at least 90 % is needed."""
    matrix = evaluate.confusion(test.y, model.predict(test.X), len(problem.target.classes))
    metrics = evaluate.summary(matrix)
    if metrics["accuracy"] >= MIN_ACCURACY:
        return Verdict(metrics, None)
    return Verdict(
        metrics, f"accuracy on test.csv is {metrics['accuracy']:.1%}, and at least {MIN_ACCURACY:.0%} is needed"
    )

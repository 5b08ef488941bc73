"""The gate: the accuracy on the test rows must be 90 % or more."""

import numpy as np
import pytest

from common import evaluate
from common.problem import Problem
from finetune.gate import refusal


def metrics_of(mistakes: int, rows: int) -> dict[str, float]:
    truth = np.arange(rows) % 3
    answers = truth.copy()
    answers[:mistakes] = (answers[:mistakes] + 1) % 3
    return evaluate.summary(evaluate.confusion(truth, answers, 3))


@pytest.mark.parametrize(("mistakes", "rows"), [(0, 30), (1, 30), (3, 30), (10, 100)])
def test_ninety_per_cent_and_more_pass(problem: Problem, mistakes: int, rows: int) -> None:
    assert refusal(problem, metrics_of(mistakes, rows)) is None


@pytest.mark.parametrize(("mistakes", "rows", "accuracy"), [(4, 30, "86.7%"), (11, 100, "89.0%"), (30, 30, "0.0%")])
def test_less_is_refused_and_the_reason_has_both_numbers(
    problem: Problem, mistakes: int, rows: int, accuracy: str
) -> None:
    reason = refusal(problem, metrics_of(mistakes, rows))
    assert reason == f"accuracy on test.csv is {accuracy}, and at least 90% is needed"

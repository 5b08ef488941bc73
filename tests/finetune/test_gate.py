"""The gate: at least 90 % of the test rows right."""

import numpy as np
import pytest

from common import evaluate
from common.problem import Ints, Problem
from finetune.gate import judge


def wrong_in(mistakes: int, of: int) -> Ints:
    truth = np.arange(of) % 3
    answers = truth.copy()
    answers[:mistakes] = (answers[:mistakes] + 1) % 3
    return evaluate.confusion(truth, answers, 3)


@pytest.mark.parametrize(("mistakes", "of"), [(0, 30), (1, 30), (3, 30), (10, 100)])
def test_ninety_per_cent_and_more_pass(problem: Problem, mistakes: int, of: int) -> None:
    verdict = judge(problem, wrong_in(mistakes, of))
    assert verdict.refused_because is None
    assert verdict.metrics["accuracy"] == pytest.approx(1 - mistakes / of)


@pytest.mark.parametrize(("mistakes", "of", "told"), [(4, 30, "86.7%"), (11, 100, "89.0%"), (30, 30, "0.0%")])
def test_less_is_refused_and_the_reason_has_both_numbers(problem: Problem, mistakes: int, of: int, told: str) -> None:
    verdict = judge(problem, wrong_in(mistakes, of))
    assert verdict.refused_because is not None
    assert told in verdict.refused_because
    assert "90%" in verdict.refused_because
    assert verdict.metrics["accuracy"] == pytest.approx(1 - mistakes / of)

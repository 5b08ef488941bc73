"""The gate: at least 90 % of the test rows right."""

import numpy as np
import pytest

from common.problem import Floats, Ints, Problem, Table
from finetune.gate import judge


class Answering:
    """A classifier that answers what it was told, whatever it is asked."""

    def __init__(self, answers: Ints) -> None:
        self.answers = answers

    def predict(self, _: Floats) -> Ints:
        return self.answers

    def predict_proba(self, _: Floats) -> Floats:
        return np.eye(3)[self.answers]


def wrong_in(mistakes: int, of: int) -> tuple[Answering, Table]:
    truth = np.arange(of) % 3
    answers = truth.copy()
    answers[:mistakes] = (answers[:mistakes] + 1) % 3
    return Answering(answers), Table(np.zeros((of, 4)), truth)


@pytest.mark.parametrize(("mistakes", "of"), [(0, 30), (1, 30), (3, 30), (10, 100)])
def test_ninety_per_cent_and_more_pass(problem: Problem, mistakes: int, of: int) -> None:
    model, test = wrong_in(mistakes, of)
    verdict = judge(problem, model, test)
    assert verdict.refused_because is None
    assert verdict.metrics["accuracy"] == pytest.approx(1 - mistakes / of)


@pytest.mark.parametrize(("mistakes", "of", "told"), [(4, 30, "86.7%"), (11, 100, "89.0%"), (30, 30, "0.0%")])
def test_less_is_refused_and_the_reason_has_both_numbers(problem: Problem, mistakes: int, of: int, told: str) -> None:
    verdict = judge(problem, *wrong_in(mistakes, of))
    assert verdict.refused_because is not None
    assert told in verdict.refused_because
    assert "90%" in verdict.refused_because
    assert verdict.metrics["accuracy"] == pytest.approx(1 - mistakes / of)

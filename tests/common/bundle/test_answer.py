"""The comparison of an answer with the right one."""

import numpy as np
import pytest

from common.bundle.model import Answer, ModelError


def answer(label: int = 0, scores: list[float] | None = None, rows: int = 1) -> Answer:
    return Answer(np.full(rows, label), None, None if scores is None else np.array(scores, dtype=np.float32))


def test_probabilities_are_not_compared_where_the_model_has_none() -> None:
    found = Answer(np.array([0, 1]), None)
    right = np.array([[0.9, 0.1], [0.2, 0.8]], dtype=np.float32)
    found.check_equal(Answer(np.array([0, 1]), right))
    with pytest.raises(ModelError, match=r"the label of row 1 differs \(1 of 2 rows do\)"):
        found.check_equal(Answer(np.array([0, 0]), right))


def test_a_label_too_few_is_refused() -> None:
    with pytest.raises(ModelError, match=r"labels have the shape \(2,\) instead of \(1,\)"):
        answer(rows=2).check_equal(answer())


@pytest.mark.parametrize(("right", "found"), [(0.5, 0.5 + 9e-6), (-0.5, -0.5 - 9e-6), (200.0, 200.0 + 1.5e-3)])
def test_scores_may_differ_by_a_hundred_thousandth_of_one_or_of_themselves(right: float, found: float) -> None:
    answer(scores=[found]).check_equal(answer(scores=[right]))
    with pytest.raises(ModelError, match="the outlier scores of row 0 differ"):
        answer(scores=[found + 2 * (found - right)]).check_equal(answer(scores=[right]))


def test_one_score_for_two_rows_is_refused() -> None:
    with pytest.raises(ModelError, match=r"outlier scores have the shape \(2,\) instead of \(1,\)"):
        answer(scores=[0.5, 0.5], rows=2).check_equal(answer(scores=[0.5], rows=2))


def test_a_score_that_is_not_a_number_differs() -> None:
    with pytest.raises(ModelError, match="the outlier scores of row 0 differ"):
        answer(scores=[np.nan]).check_equal(answer(scores=[0.5]))

"""The lab's metrics are scikit-learn's, and say nothing where there is nothing to divide by."""

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from common import evaluate
from common.problem import Ints

Labels = tuple[int, list[int], list[int]]


@st.composite
def labels(draw: st.DrawFn) -> Labels:
    """A number of classes, and as many true as predicted labels."""
    classes = draw(st.integers(2, 5))
    pairs = draw(st.lists(st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1)), min_size=1, max_size=60))
    return classes, [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def matrix_of(drawn: Labels) -> Ints:
    classes, truth, predicted = drawn
    return evaluate.confusion(np.array(truth), np.array(predicted), classes)


@given(drawn=labels())
@settings(deadline=None)
def test_the_confusion_matrix_is_that_of_scikit_learn(drawn: Labels) -> None:
    classes, truth, predicted = drawn
    expected = sklearn.metrics.confusion_matrix(truth, predicted, labels=range(classes))
    np.testing.assert_array_equal(matrix_of(drawn), expected)


@given(drawn=labels())
@settings(deadline=None)
def test_accuracy_is_that_of_scikit_learn(drawn: Labels) -> None:
    assert evaluate.accuracy(matrix_of(drawn)) == pytest.approx(sklearn.metrics.accuracy_score(drawn[1], drawn[2]))


@given(drawn=labels())
@settings(deadline=None)
def test_precision_recall_and_f1_of_each_class_are_those_of_scikit_learn(drawn: Labels) -> None:
    classes, truth, predicted = drawn
    expected = sklearn.metrics.precision_recall_fscore_support(
        truth, predicted, labels=range(classes), zero_division=np.nan
    )
    found = evaluate.per_class(matrix_of(drawn))
    assert len(found) == classes
    for name, values in zip(("precision", "recall", "f1"), expected, strict=False):
        mine = [np.nan if (value := getattr(c, name)) is None else value for c in found]
        np.testing.assert_allclose(mine, values, err_msg=name)


@given(drawn=labels())
@settings(deadline=None)
def test_specificity_of_each_class_is_the_recall_of_all_other_rows(drawn: Labels) -> None:
    classes, truth, predicted = drawn
    for index, found in enumerate(evaluate.per_class(matrix_of(drawn))):
        tn, fp, fn, tp = sklearn.metrics.confusion_matrix(
            np.array(truth) == index, np.array(predicted) == index, labels=[False, True]
        ).ravel()
        assert (found.true_neg, found.false_pos, found.false_neg, found.true_pos) == (tn, fp, fn, tp)
        assert found.specificity == (pytest.approx(tn / (tn + fp)) if tn + fp else None)
    assert classes == index + 1


def test_a_binary_problem_has_the_known_values() -> None:
    positive = evaluate.per_class(np.array([[50, 10], [5, 35]]))[1]
    assert positive == evaluate.ClassMetrics(true_pos=35, false_pos=10, false_neg=5, true_neg=50)
    assert positive.precision == 35 / 45
    assert positive.recall == 35 / 40
    assert positive.specificity == 50 / 60
    assert positive.f1 == 70 / 85


def test_a_ratio_with_nothing_to_divide_by_is_none() -> None:
    absent = evaluate.per_class(np.array([[4, 0], [0, 0]]))[1]
    assert (absent.precision, absent.recall, absent.f1) == (None, None, None)
    assert absent.specificity == 1.0
    assert evaluate.per_class(np.array([[4, 0], [0, 0]]))[0].specificity is None


def test_no_rows_have_no_accuracy_and_an_empty_summary() -> None:
    empty = np.zeros((3, 3), dtype=np.int64)
    assert evaluate.accuracy(empty) is None
    assert evaluate.summary(empty) == {}


def test_the_summary_has_the_macro_averages_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    truth, predicted = generator.integers(0, 3, 90), generator.integers(0, 3, 90)
    found = evaluate.summary(evaluate.confusion(truth, predicted, 3))
    precision, recall, f1, _ = sklearn.metrics.precision_recall_fscore_support(truth, predicted, average="macro")
    expected = {"accuracy": (truth == predicted).mean(), "precision": precision, "recall": recall, "f1": f1}
    assert found == pytest.approx(expected)


def test_macro_averages_leave_out_classes_without_a_value() -> None:
    # Class 2 is neither there nor predicted; class 1 is there and never predicted, so its precision has no value.
    found = evaluate.summary(np.array([[3, 0, 0], [1, 0, 0], [0, 0, 0]]))
    assert found == pytest.approx({"accuracy": 0.75, "precision": 0.75, "recall": 0.5, "f1": (6 / 7 + 0) / 2})

"""The lab's metrics are scikit-learn's, and say nothing where there is nothing to divide by."""

import math
from statistics import NormalDist
from unittest.mock import Mock

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from common import confusion, evaluate
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
    return confusion.confusion(np.array(truth), np.array(predicted), classes)


@given(drawn=labels())
@settings(deadline=None)
def test_the_confusion_matrix_and_its_summary_are_those_of_scikit_learn(drawn: Labels) -> None:
    classes, truth, predicted = drawn
    matrix = matrix_of(drawn)
    np.testing.assert_array_equal(matrix, sklearn.metrics.confusion_matrix(truth, predicted, labels=range(classes)))
    averages = sklearn.metrics.precision_recall_fscore_support(
        truth, predicted, labels=range(classes), average="macro", zero_division=np.nan
    )
    expected = dict(zip(("precision", "recall", "f1"), averages, strict=False))
    expected["accuracy"] = sklearn.metrics.accuracy_score(truth, predicted)
    found = dict.fromkeys(expected, np.nan) | confusion.summary(matrix)
    assert found == pytest.approx(expected, nan_ok=True)


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
    assert positive == evaluate.ClassEstimates(true_pos=35, false_pos=10, false_neg=5, true_neg=50)
    assert positive.precision == 35 / 45
    assert positive.recall == 35 / 40
    assert positive.specificity == 50 / 60
    assert positive.f1 == 70 / 85


def test_a_ratio_with_nothing_to_divide_by_is_none() -> None:
    absent = evaluate.per_class(np.array([[4, 0], [0, 0]]))[1]
    assert (absent.precision, absent.recall, absent.f1) == (None, None, None)
    assert absent.specificity == 1.0
    assert evaluate.per_class(np.array([[4, 0], [0, 0]]))[0].specificity is None


def test_no_rows_have_no_interval_and_an_empty_summary() -> None:
    empty = np.zeros((3, 3), dtype=np.int64)
    assert confusion.summary(empty) == {}
    assert evaluate.wilson(0, 0) is None


def test_macro_averages_leave_out_classes_without_a_value() -> None:
    # Class 2 is neither there nor predicted; class 1 is there and never predicted, so its precision has no value.
    found = confusion.summary(np.array([[3, 0, 0], [1, 0, 0], [0, 0, 0]]))
    assert found == pytest.approx({"accuracy": 0.75, "precision": 0.75, "recall": 0.5, "f1": (6 / 7 + 0) / 2})


@given(trials=st.integers(1, 10_000_000), share=st.floats(0, 1))
@settings(deadline=None)
def test_the_interval_of_a_proportion_is_that_of_scipy(trials: int, share: float) -> None:
    successes = round(share * trials)
    found = evaluate.wilson(successes, trials)
    expected = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert found
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9, abs=1e-12)


def test_an_interval_may_be_of_so_many_standard_errors() -> None:
    found = evaluate.wilson(37, 50, 4.0)
    expected = binomtest(37, 50).proportion_ci(1 - 2 * NormalDist().cdf(-4.0), method="wilson")
    assert found
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_the_interval_of_a_proportion_contains_it() -> None:
    for trials in range(1, 200):
        for successes in range(trials + 1):
            found = evaluate.wilson(successes, trials)
            assert found
            assert 0 <= found.low <= successes / trials <= found.high <= 1, (successes, trials)


def test_more_rows_make_the_interval_narrower() -> None:
    widths = [found.high - found.low for trials in (10, 100, 1000) if (found := evaluate.wilson(trials // 2, trials))]
    assert widths == sorted(widths, reverse=True)


counts = st.integers(0, 300)


@given(metrics=st.builds(evaluate.ClassEstimates, counts, counts, counts, counts))
@settings(deadline=None)
def test_every_metric_lies_in_its_interval_and_has_one_if_and_only_if_it_has_a_value(
    metrics: evaluate.ClassEstimates,
) -> None:
    assert metrics.estimates.keys() == {"precision", "recall", "specificity", "f1"}
    for name, interval in metrics.estimates.items():
        value = getattr(metrics, name)
        assert (interval.value if interval else None) == value, name
        if interval:
            # Less exactly than the test above: F1 and its ends are rounded differently.
            assert interval.low - 1e-12 <= value <= interval.high + 1e-12, name


def test_the_interval_of_each_metric_is_that_of_its_own_proportion() -> None:
    metrics = evaluate.ClassEstimates(true_pos=35, false_pos=10, false_neg=5, true_neg=50)
    assert metrics.estimates["precision"] == evaluate.wilson(35, 45)
    assert metrics.estimates["recall"] == evaluate.wilson(35, 40)
    assert metrics.estimates["specificity"] == evaluate.wilson(50, 60)


def test_the_interval_of_f1_is_that_of_the_jaccard_index() -> None:
    f1 = evaluate.ClassEstimates(true_pos=35, false_pos=10, false_neg=5, true_neg=50).estimates["f1"]
    jaccard = binomtest(35, 50).proportion_ci(0.95, method="wilson")
    assert f1
    assert f1.low == pytest.approx(2 * jaccard.low / (1 + jaccard.low))
    assert f1.high == pytest.approx(2 * jaccard.high / (1 + jaccard.high))


def test_the_interval_of_f1_holds_it_as_often_as_it_says() -> None:
    # Ten thousand samples of 200 rows, of which so many are true positives, false ones of either kind, true negatives.
    shares = np.array([0.3, 0.1, 0.08, 0.52])
    truth = 2 * shares[0] / (2 * shares[0] + shares[1] + shares[2])
    samples = np.random.default_rng(0).multinomial(200, shares, 10_000)
    intervals = [evaluate.ClassEstimates(*map(int, sample)).estimates["f1"] for sample in samples]
    assert np.mean([found is not None and found.low <= truth <= found.high for found in intervals]) > 0.94


def exact_p_value(first: int, second: int) -> float:
    # SciPy wants a trial at least.
    return float(binomtest(min(first, second), first + second, 0.5).pvalue) if first + second else 1.0


differing = st.integers(0, 30) | st.integers(0, 3000)


@given(first=differing, second=differing)
@settings(deadline=None)
def test_mcnemars_p_value_is_that_of_the_binomial_test(first: int, second: int) -> None:
    found = evaluate.mcnemar(first, second)
    # Near the smallest float SciPy's own terms vanish: it says 0 where 1.03e-290 is right.
    assert found == pytest.approx(exact_p_value(first, second), rel=1e-8, abs=1e-280)
    assert found == evaluate.mcnemar(second, first)


def test_mcnemars_p_value_has_the_known_values() -> None:
    assert evaluate.mcnemar(0, 0) == 1.0
    assert evaluate.mcnemar(7, 7) == 1.0
    assert evaluate.mcnemar(0, 6) == pytest.approx(2 / 64)
    assert evaluate.mcnemar(1, 9) == pytest.approx(2 * (1 + 10) / 1024)


@pytest.mark.parametrize(("first", "second"), [(500_000, 498_000), (500_000, 500_000), (3, 1_000_000), (0, 2000)])
def test_mcnemars_p_value_of_many_rows_takes_few_terms(
    first: int, second: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = exact_p_value(first, second)
    exp = Mock(wraps=math.exp)
    with monkeypatch.context() as patch:
        patch.setattr(math, "exp", exp)
        found = evaluate.mcnemar(first, second)
    assert found == pytest.approx(expected, rel=1e-7)
    assert exp.call_count < 20_000

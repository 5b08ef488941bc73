"""When answers have become worse than on the test rows, and when that is only chance, or nobody can say."""

from datetime import date

import numpy as np
import pytest

from monitor.statistics.enough import CLASS_LABELS, LABELS
from monitor.statistics.performance import Measured, measured
from monitor.statistics.reference import Results

CLASSES = ("a", "b")
# 92 of 100, and of each class 46 of 50.
TESTED = Results(CLASSES, np.array([[46, 4], [4, 46]]))
WINDOWS_A_DAY = 288
VERSIONS = 2_000


def labels(right_a: int, wrong_a: int, right_b: int, wrong_b: int) -> dict[tuple[str, str], int]:
    return {("a", "a"): right_a, ("a", "b"): wrong_a, ("b", "b"): right_b, ("b", "a"): wrong_b}


def found(counts: dict[tuple[str, str], int], tested: Results = TESTED) -> dict[str, Measured]:
    return {each.class_name: each for each in measured(counts, tested)}


def verdicts(counts: dict[tuple[str, str], int], tested: Results = TESTED) -> list[str]:
    return [each.verdict for each in measured(counts, tested)]


def test_an_accuracy_that_falls_from_92_to_50_per_cent_has_dropped() -> None:
    [accuracy, *_] = measured(labels(25, 25, 25, 25), TESTED)
    assert (accuracy.measure, accuracy.labels, accuracy.value, accuracy.tested) == ("accuracy", 100, 0.5, 0.92)
    assert accuracy.high == pytest.approx(0.686, abs=1e-3)
    assert accuracy.tested_low == pytest.approx(0.850, abs=1e-3)
    assert accuracy.verdict == "dropped"
    assert verdicts(labels(46, 4, 46, 4)) == ["not dropped"] * 3
    assert verdicts(labels(50, 0, 50, 0)) == ["not dropped"] * 3


def test_a_recall_that_falls_is_found_although_the_accuracy_stays() -> None:
    assert verdicts(labels(3, 27, 970, 0)) == ["not dropped", "dropped", "not dropped"]


def test_a_class_that_falls_is_found_although_another_was_always_lower() -> None:
    tested = Results(CLASSES, np.array([[30, 20], [0, 50]]))
    assert verdicts(labels(60, 40, 60, 40), tested) == ["not dropped", "not dropped", "dropped"]


def test_few_labels_are_not_enough_data_however_wrong_the_answers_are() -> None:
    few = found(labels(0, CLASS_LABELS - 1, 0, LABELS - CLASS_LABELS))
    assert (few[""].verdict, few["a"].verdict, few["b"].verdict) == ("not enough data", "not enough data", "dropped")
    assert (few[""].labels, few[""].value, few[""].low, few[""].high) == (LABELS - 1, None, None, None)
    enough = found(labels(0, CLASS_LABELS, 0, LABELS - CLASS_LABELS))
    assert (enough[""].verdict, enough["a"].verdict) == ("dropped", "dropped")


def test_a_class_without_test_rows_has_nothing_to_compare_with() -> None:
    assert verdicts(labels(0, 50, 50, 0), Results(CLASSES, np.array([[0, 0], [0, 50]]))) == [
        "dropped",
        "nothing to compare with",
        "not dropped",
    ]


def test_an_answer_to_a_class_that_the_version_does_not_know_is_wrong() -> None:
    accuracy = found(labels(25, 0, 25, 0) | {("new", "a"): 50})[""]
    assert (accuracy.labels, accuracy.value, accuracy.verdict) == (100, 0.5, "dropped")


def test_results_of_a_day_are_marked() -> None:
    assert [each.span for each in measured({}, TESTED)] == ["window"] * 3
    assert {(each.span, each.day) for each in measured({}, TESTED, date(2026, 3, 1))} == {("day", date(2026, 3, 1))}


def test_it_goes_to_json_and_back() -> None:
    for each in measured(labels(25, 25, 5, 5), TESTED, date(2026, 3, 1)):
        assert Measured.model_validate_json(each.model_dump_json()) == each


@pytest.mark.parametrize("rows", [50, 200, 1_000])
@pytest.mark.parametrize("test_rows", [30, 100, 10_000])
def test_false_alarms_of_a_version_that_stays_good_are_rare(test_rows: int, rows: int) -> None:
    """More seldom than one in ten, most of which had lucky test rows: of so many one in forty is."""
    rng = np.random.default_rng(3)
    told = 0
    for right_then in rng.binomial(test_rows, 0.92, VERSIONS).tolist():
        results = Results(CLASSES, np.array([[right_then, test_rows - right_then], [0, 0]]))
        worst = int(rng.binomial(rows, 0.92, WINDOWS_A_DAY).min())
        told += measured(labels(worst, rows - worst, 0, 0), results)[0].verdict == "dropped"
    print(f"{told} of {VERSIONS} versions are told of in a day")
    assert told / VERSIONS <= 0.1

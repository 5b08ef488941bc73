"""The verdicts of a window in words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.page.tabs.drift_findings import enough, findings, headline, sentence
from monitor.statistics.enough import DRIFT_ROWS
from monitor.statistics.reference import NumberReference, Reference
from monitor.statistics.window import CLASS, OTHERS, Distribution, Evaluation, Subject, evaluate
from tests.common.store.rows import CLASSES, prediction

MOVED = Subject(
    kind="number",
    rows=968,
    median=1.74,
    reference_median=1.3,
    reference_std=0.4,
    above=500,
    verdict="drift",
    statistics={"psi": 2.0},
)
NAMES = Distribution(labels=["Airlines", "Agency", OTHERS], window=[0.6, 0.2, 0.2], reference=[0.5, 0.5, 0.0])
SPREAD = Distribution(labels=["up to 2", "above 2"], window=[0.1, 0.9], reference=[0.4, 0.6])
AGENCY = Subject(kind="category", rows=600, verdict="drift", distribution=NAMES)
NEW = AGENCY.model_copy(update={"distribution": NAMES.model_copy(update={"reference": [0.6, 0.4, 0.0]})})
MEDIANS = "in training (median 1.74, in training 1.3)"


def changed(**fields: object) -> Subject:
    return MOVED.model_copy(update=fields)


@pytest.mark.parametrize(
    ("name", "subject", "words"),
    [
        ("width", MOVED, f"34 % higher than {MEDIANS}; 500 of 968 rows above anything seen"),
        (
            "width",
            changed(median=0.65, above=0, below=3),
            "50 % lower than in training (median 0.65, in training 1.3); ",
        ),
        ("width", changed(median=0.65, above=0, below=3), "; 3 of 968 rows below anything seen"),
        ("width", changed(median=13.0), "10 times as high as in training (median 13, in training 1.3)"),
        (
            "degrees",
            changed(median=1.0, reference_median=-1.0),
            "5 standard deviations higher than in training (median",
        ),
        ("constant", changed(reference_median=0.0, reference_std=0.0), "higher than in training (median 1.74, in"),
        ("spread", changed(median=1.31, distribution=SPREAD), "10.0 % of the rows are up to 2, in training 40.0 %"),
        ("agency", AGENCY, "20.0 % of the rows are Agency, in training 50.0 %"),
        ("agency", NEW, "20.0 % of the rows are Agency, in training 40.0 %"),
        (CLASS, AGENCY, "20.0 % of the rows are Agency, on the test rows 50.0 %"),
        ("of an older monitor", changed(median=None, above=0), "not as in training"),
        ("width", changed(verdict="no drift", above=2), "as in training: median 1.74, in training 1.3; 2 of 968 rows"),
        ("agency", AGENCY.model_copy(update={"verdict": "no drift"}), "as in training"),
        ("width", changed(verdict="not enough data", rows=120), "not enough data: 120 of 500 rows"),
        ("confidence", Subject(kind="number", rows=600), "nothing to compare with"),
    ],
)
def test_a_subject_is_told_in_one_sentence(name: str, subject: Subject, words: str) -> None:
    assert words in sentence(name, subject)


def window(rows: int = 968, /, **subjects: Subject) -> Evaluation:
    return Evaluation(rows=rows, told_outlier=0, outliers=0, confidence_mean=None, class_counts={}, subjects=subjects)


@pytest.mark.parametrize(
    ("evaluation", "level", "words"),
    [
        (window(a=MOVED, b=changed(verdict="no drift")), "bad", "1 of 2 subjects has drifted: a."),
        (window(a=MOVED, b=changed(statistics={"psi": 3.0})), "bad", "2 of 2 subjects have drifted, b most."),
        (window(a=changed(verdict="no drift")), "good", "No drift in 1 subject."),
        (
            window(a=changed(verdict="no drift"), b=changed(verdict=None)),
            "good",
            "No drift in 1 subject. 1 subject can",
        ),
        (window(7, a=changed(verdict="not enough data", rows=7)), "unknown", "Not enough data: 7 of 500 rows."),
        (window(a=changed(verdict=None)), "unknown", "There is nothing to compare this window with."),
    ],
)
def test_a_window_has_one_headline(evaluation: Evaluation, level: str, words: str) -> None:
    found = headline(evaluation)
    assert (found.level, found.text[: len(words)]) == (level, words)


VERDICTS = st.sampled_from(["drift", "no drift", "not enough data", None])


@given(verdicts=st.lists(VERDICTS, max_size=8))
def test_only_a_drift_is_bad_and_the_worst_stands_first(verdicts: list[str | None]) -> None:
    subjects = {
        str(number): changed(verdict=verdict, statistics={"psi": number / 5}) for number, verdict in enumerate(verdicts)
    }
    found = findings(window(968, **subjects))
    assert {each.level == "bad" for each in found if each.subject.verdict != "drift"} <= {False}
    assert [each.level for each in found] == sorted(
        (each.level for each in found), key=["bad", "unknown", "good"].index
    )
    drifted = [each.distance for each in found if each.level == "bad"]
    assert drifted == sorted(drifted, reverse=True)
    assert (headline(window(968, **subjects)).level == "bad") == bool(drifted)


def test_a_window_is_enough_from_the_rows_on_that_a_verdict_needs() -> None:
    assert (enough(DRIFT_ROWS - 1), enough(DRIFT_ROWS)) == ("not enough data: 499 of 500 rows", "enough for a verdict")


def test_the_rows_outside_everything_seen_are_counted_as_float32_has_them() -> None:
    seen = np.linspace(0.1, 0.7, 101)
    number = NumberReference(101, 0.4, 0.2, seen, np.array([0.4]), np.array([0.5, 0.5]))
    reference = Reference(1, CLASSES, {}, {"x": number}, None, None)
    values = [float(np.float32(0.7))] * 50 + [0.71] * 30 + [0.09] * 20
    rows = [prediction(str(n)) | {"features": {"x": value}} for n, value in enumerate(values)]
    found = evaluate(rows, reference).subjects["x"]
    assert (found.above, found.below) == (30, 20)
    assert found.median == pytest.approx(0.7)
    assert found.reference_median == pytest.approx(0.4)

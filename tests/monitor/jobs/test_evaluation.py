"""The job that evaluates windows: which, what it keeps, and what it does when something fails."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import numpy as np
import pytest

from common.problem import Problem, Table
from common.store import Store, StoreError
from common.store.monitoring.alerts import Alert
from common.store.monitoring.windows import WindowRecord
from common.store.predictions import PredictionRow
from monitor.jobs.evaluation import JOB, MOST_MISSED, SETTLED, Evaluator, Pace
from monitor.jobs.job_alerts import JobAlerts
from monitor.statistics.breaches import ACCURACY, DRIFT, FEATURE_MEAN, OUTLIERS, RECALL, RUN_FAILED
from monitor.statistics.enough import CLASS_LABELS, LABELS, SHARE_ROWS
from monitor.statistics.reference import Reference, Results
from monitor.statistics.window import Evaluation
from tests.common.store.rows import CLASSES, MODEL, SETOSA, VERSICOLOR, prediction
from tests.monitor.references import Clock, answered, away, knowing

MINUTE = timedelta(minutes=1)
PACE = Pace(MINUTE, 5 * MINUTE)
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FAR_PAST = START - timedelta(days=1)


class Job:
    """An evaluator, run as if at some moment; it is as if it had started long ago."""

    def __init__(self, store: Store, reference: Reference | None = None) -> None:
        self.clock = Clock(FAR_PAST)
        self.references = knowing(store, reference)
        self.evaluator = Evaluator(store, self.references, JobAlerts(store), PACE, self.clock)

    def run(self, minutes: float, seconds: float = 2.0) -> None:
        self.clock.now = START + minutes * MINUTE + timedelta(seconds=seconds)
        self.evaluator.run()


@pytest.fixture
def job(kept: Store, learnt: Reference) -> Job:
    return Job(kept, learnt)


_numbers = count()


def write(store: Store, rows: list[PredictionRow], minutes: float, **changed: Any) -> None:
    """Write rows as predictions of one moment, with names of their own."""
    at = {"predicted_at": START + minutes * MINUTE}
    store.predictions.write([row | at | {"id": f"p{next(_numbers)}"} | changed for row in rows])  # type: ignore[misc]


def windows(store: Store, problem: str = "iris") -> list[WindowRecord]:
    return store.windows.between(problem, FAR_PAST, START + timedelta(days=9), 10_000)


def ends(store: Store, problem: str = "iris") -> list[float]:
    """Return when the windows end, in minutes after the start."""
    return [(window.ended_at - START) / MINUTE for window in windows(store, problem)]


def alerts(store: Store, problem: str = "iris") -> list[Alert]:
    return store.alerts.between(problem, FAR_PAST, START + timedelta(days=9), 10_000)[::-1]


def outliers(rows: int = SHARE_ROWS) -> list[PredictionRow]:
    # Such rows say nothing of the means.
    return [prediction("") | {"is_outlier": True}] * rows


@pytest.mark.parametrize(
    ("newest", "now", "due"),
    [
        (None, 3.0, [2]),
        (None, 3 + 2 / 60, [3]),
        (None, 3.99, [3]),
        (2.0, 3 + 1.9 / 60, []),
        (2.0, 3 + 2 / 60, [3]),
        (2.0, 6.5, [3, 4, 5, 6]),
        (2.5, 4.5, [3, 4]),
        (9.0, 4.5, []),
    ],
)
def test_windows_end_at_full_minutes_and_are_due_when_the_log_is_complete(
    newest: float | None, now: float, due: list[float]
) -> None:
    found = PACE.due(None if newest is None else START + newest * MINUTE, START + now * MINUTE)
    assert found == [START + end * MINUTE for end in due]


@pytest.mark.parametrize("seconds", [1, 7, 45, 3600])
def test_windows_do_not_depend_on_the_moment_of_the_start(seconds: int) -> None:
    pace = Pace(timedelta(seconds=seconds), 5 * MINUTE)
    [first] = pace.due(None, START + timedelta(seconds=1234.5))
    [again] = pace.due(None, first + SETTLED)
    assert again == first
    following = pace.due(first, first + SETTLED + 3 * pace.every)
    assert following == [first + number * pace.every for number in (1, 2, 3)]


def test_nothing_is_evaluated_before_anything_was_predicted(kept: Store, job: Job) -> None:
    job.run(5)
    assert windows(kept) == []
    assert kept.alerts.open() == []


def test_a_window_holds_predictions_from_its_beginning_to_before_its_end(kept: Store, job: Job) -> None:
    for minutes in (-0.001, 0.0, 4.999, 5.0):
        write(kept, [prediction("")], minutes)
    write(kept, [prediction("", role="shadow")], 3)
    job.run(5)
    [window] = windows(kept)
    assert (window.began_at, window.ended_at, window.rows) == (START, START + 5 * MINUTE, 2)
    assert (window.model_name, window.model_version, window.outliers) == (MODEL, 1, 0)


def test_an_evaluation_is_stored_and_read_back(kept: Store, job: Job, problem: Problem, table: Table) -> None:
    write(kept, answered(problem, table, times=4), 2)
    write(kept, outliers(3), 2)
    job.run(5)
    [window] = windows(kept)
    found = Evaluation.model_validate(window.evaluation)
    assert (found.rows, found.outliers, window.rows, window.outliers) == (603, 3, 603, 3)
    assert {subject.verdict for subject in found.subjects.values()} == {"no drift"}
    assert kept.alerts.open() == []


def test_a_run_again_makes_no_window_twice_and_the_next_one_overlaps(kept: Store, job: Job) -> None:
    write(kept, [prediction("")], 3)
    job.run(5)
    job.run(5, seconds=59)
    assert ends(kept) == [5]
    job.run(6)
    assert ends(kept) == [5, 6]
    assert [window.rows for window in windows(kept)] == [1, 1]


def test_another_process_that_goes_on_makes_the_next_window(kept: Store, job: Job, learnt: Reference) -> None:
    write(kept, [prediction("")], 3)
    job.run(5, seconds=17)
    Job(kept, learnt).run(6, seconds=44)
    assert ends(kept) == [5, 6]


def test_missed_windows_are_caught_up_each_with_its_own_rows(kept: Store, job: Job) -> None:
    write(kept, [prediction("")], 3)
    job.run(4)
    for minutes in (4.5, 5.5, 5.6, 8.5):
        write(kept, [prediction("")], minutes)
    job.run(9)
    assert [(end, window.rows) for end, window in zip(ends(kept), windows(kept), strict=True)] == [
        (4, 1), (5, 2), (6, 4), (7, 4), (8, 4), (9, 4)
    ]  # fmt: skip


def test_more_than_an_hour_of_missed_windows_is_skipped_and_logged(
    kept: Store, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    write(kept, [prediction("")], 3)
    job.run(4)
    job.run(4 + MOST_MISSED + 7)
    assert len(windows(kept)) == 1 + MOST_MISSED
    assert ends(kept)[:2] == [4, 4 + 8]
    assert "7 windows up to 2026-03-01 12:11:00+00:00 were missed" in caplog.text


def test_an_idle_problem_has_windows_without_rows_and_its_alerts_end(kept: Store, job: Job) -> None:
    write(kept, outliers(), 3)
    job.run(5)
    assert [alert.kind for alert in kept.alerts.open("iris")] == [OUTLIERS]
    job.run(9)
    assert [window.rows for window in windows(kept)] == [*[SHARE_ROWS] * 4, 0]
    [alert] = alerts(kept)
    assert (alert.began_at, alert.ended_at) == (START + 5 * MINUTE, START + 9 * MINUTE)


def test_a_breach_is_one_episode_from_its_first_window_to_the_first_good_one(
    kept: Store, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    write(kept, outliers(), 0.5)
    with caplog.at_level(logging.INFO, "monitor"):
        for minutes in range(1, 8):
            job.run(minutes)
    [alert] = alerts(kept)
    assert (alert.kind, alert.subject) == (OUTLIERS, "")
    assert (alert.began_at, alert.ended_at) == (START + MINUTE, START + 6 * MINUTE)
    told = [(record.levelname, record.getMessage()) for record in caplog.records if record.levelno > logging.INFO]
    assert [level for level, _ in told] == ["ERROR", "WARNING"]
    assert told[0][1] == f"iris: {alert.message}"
    assert "100 % of 50 rows" in told[0][1]
    assert "ended at" in told[1][1]


def test_a_breach_that_comes_again_is_another_episode(kept: Store, job: Job) -> None:
    write(kept, outliers(), 0.5)
    write(kept, outliers(), 7.5)
    for minutes in range(1, 9):
        job.run(minutes)
    assert [(alert.ended_at is None) for alert in alerts(kept)] == [False, True]


def test_drift_and_a_mean_that_is_off_are_alerts_of_their_features(
    kept: Store, job: Job, problem: Problem, table: Table
) -> None:
    X = table.X.copy()
    X[:, 3] += X[:, 3].std()
    write(kept, answered(problem, replace(table, X=X), times=4), 2)
    job.run(5)
    assert {(alert.kind, alert.subject) for alert in kept.alerts.open("iris")} == {
        (DRIFT, "petal_width"),
        (FEATURE_MEAN, "petal_width"),
    }


def judged(store: Store, minutes: float, right: int, wrong: int, version: int = 1) -> None:
    """Write answers of one moment, and the truth about them."""
    truths = [SETOSA] * right + [VERSICOLOR] * wrong
    rows = [prediction(f"j{next(_numbers)}", version=version, at=START + minutes * MINUTE) for _ in truths]
    store.known_rows.write(rows, truths)


@pytest.fixture
def tested(kept: Store, learnt: Reference) -> Job:
    """A job that knows a version which was right on all of its 30 test rows."""
    return Job(kept, replace(learnt, tested=Results(CLASSES, np.diag([10, 10, 10]))))


def dropped(store: Store) -> set[tuple[str, str]]:
    return {(each.kind, each.subject) for each in store.alerts.open("iris") if each.kind in {ACCURACY, RECALL}}


def test_answers_that_become_wrong_are_alerts_of_the_window_and_of_the_day(kept: Store, tested: Job) -> None:
    judged(kept, 2, right=60, wrong=0)
    tested.run(5)
    assert dropped(kept) == set()
    judged(kept, 7, right=0, wrong=60)
    tested.run(8)
    in_window = {(ACCURACY, "window"), (RECALL, "Iris-versicolor, window")}
    of_day = {(ACCURACY, "day"), (RECALL, "Iris-versicolor, day")}
    # The window from 12:03 to 12:08, and all of the day.
    assert dropped(kept) == in_window | of_day
    told = {(each.kind, each.subject): each.message for each in kept.alerts.open("iris")}
    assert told[ACCURACY, "day"] == (
        "accuracy on 2026-03-01 (UTC): 50.0 % (at most 67.1 %) of 120 predictions with ground truth; "
        "on the test rows: 100 % (at least 88.6 %)"
    )
    assert told[RECALL, "Iris-versicolor, window"].startswith("recall of Iris-versicolor in the window: 0 % (at most ")
    tested.run(20)
    # No labels any more in the window; of the day it stays so.
    assert dropped(kept) == of_day


def test_truths_that_come_late_count_for_their_day_and_a_new_day_without_any_does_not_end_the_alert(
    kept: Store, tested: Job
) -> None:
    rows = [prediction(f"late{number}", at=START) for number in range(LABELS)]
    kept.predictions.write(rows)
    tested.run(5)
    for row in rows:
        kept.feedback.give(row["id"], VERSICOLOR)
    tested.run(24 * 60)
    assert dropped(kept) == {(ACCURACY, "day"), (RECALL, "Iris-versicolor, day")}
    judged(kept, 24 * 60 + 1, right=LABELS, wrong=0)
    tested.run(24 * 60 + 2)
    assert dropped(kept) == set()


def test_too_few_labels_those_of_another_version_and_the_challengers_say_nothing(kept: Store, tested: Job) -> None:
    judged(kept, 2, right=0, wrong=CLASS_LABELS - 1)
    judged(kept, 2, right=0, wrong=LABELS, version=2)
    shadows = [prediction(f"s{n}", role="shadow", at=START + 2 * MINUTE) for n in range(LABELS)]
    kept.known_rows.write(shadows, [VERSICOLOR] * LABELS)
    tested.run(5)
    [window] = windows(kept)
    found = Evaluation.model_validate(window.evaluation).performance
    assert {each.labels for each in found if not each.class_name} == {CLASS_LABELS - 1}
    assert {each.verdict for each in found} == {"not enough data"}
    assert dropped(kept) == set()


def test_a_version_without_test_results_is_not_measured(kept: Store, job: Job) -> None:
    judged(kept, 2, right=0, wrong=LABELS)
    job.run(5)
    assert Evaluation.model_validate(windows(kept)[0].evaluation).performance == []


def test_each_problem_has_windows_and_alerts_of_its_own(kept: Store, job: Job) -> None:
    write(kept, outliers(), 2)
    write(kept, [prediction("", problem="other")] * 20, 2)
    job.run(5)
    assert ends(kept, "iris") == ends(kept, "other") == [5]
    assert [(alert.problem, alert.kind) for alert in kept.alerts.open()] == [("iris", OUTLIERS)]


def test_a_process_that_has_just_started_waits_an_interval_for_the_reference(kept: Store, learnt: Reference) -> None:
    job = Job(kept)
    job.evaluator._started = START + 5 * MINUTE
    write(kept, [prediction("")], 4)
    job.run(5, seconds=30)
    assert windows(kept) == []
    job.references._found.update(knowing(kept, learnt)._found)
    job.run(5, seconds=31)
    assert [window.model_version for window in windows(kept)] == [1]


def test_a_reference_that_stays_unknown_is_not_waited_for_longer(kept: Store) -> None:
    job = Job(kept)
    job.evaluator._started = START + 5 * MINUTE
    write(kept, [prediction("")], 4)
    job.run(6)
    assert [(window.ended_at, window.model_version) for window in windows(kept)] == [(START + 6 * MINUTE, None)]


def test_without_its_reference_a_drift_is_neither_over_nor_begun_again(
    kept: Store, job: Job, problem: Problem, table: Table
) -> None:
    X = table.X.copy()
    X[:, 0] += 2 * X[:, 0].std()
    write(kept, answered(problem, replace(table, X=X), times=4), 2)
    job.run(3)
    begun = kept.alerts.open("iris")
    assert begun
    Job(kept).run(4)
    job.run(5)
    assert [(alert.id, alert.began_at) for alert in kept.alerts.open("iris")] == [
        (alert.id, alert.began_at) for alert in begun
    ]
    assert len(alerts(kept)) == len(begun)


def test_the_result_of_a_window_is_logged_in_a_line(kept: Store, job: Job, caplog: pytest.LogCaptureFixture) -> None:
    write(kept, [prediction("")], 0.5)
    write(kept, [prediction("")] * SHARE_ROWS, 2)
    with caplog.at_level(logging.INFO, "monitor"):
        job.run(1)
        job.run(5.5)
    alone, *_, line = [record.getMessage() for record in caplog.records]
    assert alone == "iris, 11:56:00 to 12:01:00: 1 predictions; out of bounds: nothing"
    assert line.startswith("iris, 12:00:00 to 12:05:00: 51 predictions; 0.0% outliers; mean confidence 0.700; classes ")
    assert "Iris-setosa 100.0%, Iris-versicolor 0.0%" in line
    assert "sepal_length 5.1" in line
    assert "; out of bounds: " in line


def test_a_window_without_predictions_is_logged_in_a_line_too(
    kept: Store, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "monitor"):
        job.run(1)
        write(kept, [prediction("")], 1.5)
        job.run(2)
        job.run(7)
    nothing, *lines, empty = [record.getMessage() for record in caplog.records]
    assert nothing == "all problems, 11:56:00 to 12:01:00: 0 predictions; none in the store yet"
    assert empty == "iris, 12:02:00 to 12:07:00: 0 predictions; out of bounds: nothing"
    assert len([nothing, *lines, empty]) - 1 == len(windows(kept)) == 6


def failing(error: Exception, problem: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """Return what fails for one problem."""

    def between(asked: str, *arguments: Any) -> Iterator[Any]:
        if asked == problem:
            raise error
        return original(asked, *arguments)  # type: ignore[no-any-return]

    return between


@pytest.mark.parametrize(
    ("error", "has_trace"),
    [(StoreError("the store cannot be read: gone"), False), (ZeroDivisionError("by zero"), True)],
)
def test_a_run_that_fails_is_an_alert_until_one_goes_well_and_stops_no_other(  # noqa: PLR0913
    kept: Store,
    job: Job,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    *,
    has_trace: bool,
) -> None:
    write(kept, [prediction("")], 2)
    write(kept, [prediction("", problem="aaa")], 2)
    write(kept, [prediction("", problem="zzz")], 2)
    with monkeypatch.context() as patch:
        answers = job.evaluator._store.window_rows
        patch.setattr(answers, "between", failing(error, "iris", answers.between))
        for minutes in (5, 6):
            job.run(minutes)
    [alert] = kept.alerts.open()
    assert (alert.problem, alert.kind, alert.subject) == ("iris", RUN_FAILED, JOB)
    assert str(error) in alert.message
    assert alert.began_at == START + 5 * MINUTE + timedelta(seconds=2)
    assert alert.seen_at == alert.began_at + MINUTE
    assert any(record.exc_info for record in caplog.records) is has_trace
    assert ends(kept, "aaa") == ends(kept, "zzz") == [5, 6]
    assert ends(kept) == []
    job.run(7)
    [alert] = alerts(kept)
    assert alert.ended_at == START + 7 * MINUTE + timedelta(seconds=2)
    assert ends(kept) == [7]


def test_a_failure_that_interrupts_does_not_lose_the_windows_after_the_newest(
    kept: Store, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(kept, [prediction("")], 2)
    job.run(4)
    with monkeypatch.context() as patch:
        patch.setattr(job.evaluator._store.window_rows, "between", failing(StoreError("gone"), "iris", lambda: None))
        job.run(5)
        job.run(6)
    job.run(7)
    assert ends(kept) == [4, 5, 6, 7]


def test_a_window_that_could_not_be_kept_is_settled_again_as_the_same_episode(
    kept: Store, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(kept, outliers(), 2)
    with monkeypatch.context() as patch:
        patch.setattr(kept.windows, "write", away)
        job.run(5)
    job.run(5, seconds=40)
    assert ends(kept) == [5]
    assert [(alert.kind, alert.began_at) for alert in kept.alerts.open()] == [(OUTLIERS, START + 5 * MINUTE)]


def test_a_failure_of_the_store_is_an_alert_with_its_moment_when_the_store_is_back(
    kept: Store, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(kept, [prediction("")], 2)
    with monkeypatch.context() as patch:
        patch.setattr(kept._database, "read", away)
        patch.setattr(kept._database, "writing", away)
        job.run(5)
        job.run(6)
    assert alerts(kept, "") == []
    job.run(7)
    [alert] = alerts(kept, "")
    assert (alert.kind, alert.subject, alert.message) == (
        RUN_FAILED,
        JOB,
        "the evaluation failed: the store is away",
    )
    assert (alert.began_at, alert.ended_at) == (
        START + 5 * MINUTE + timedelta(seconds=2),
        START + 7 * MINUTE + timedelta(seconds=2),
    )


def test_a_stopped_job_does_not_go_on_to_the_next_window(
    kept: Store, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(kept, [prediction("")], 2)
    job.run(3)
    stop = job.evaluator.stop
    between = job.evaluator._store.window_rows.between

    def stopping(*arguments: Any) -> Any:
        stop()
        return between(*arguments)

    monkeypatch.setattr(job.evaluator._store.window_rows, "between", stopping)
    job.run(9)
    assert ends(kept) == [3, 4]


def test_a_run_that_has_nothing_to_compare_with_yet_ends_no_alert(kept: Store) -> None:
    write(kept, outliers(), 0)
    job = Job(kept)
    job.evaluator._started = START
    JobAlerts(kept).failed("iris", JOB, "it fails", START)
    job.run(0.5)
    assert [alert.ended_at for alert in alerts(kept)] == [None]


def test_after_a_clock_that_was_ahead_windows_go_on(job: Job, kept: Store) -> None:
    write(kept, outliers(), 1)
    job.run(24 * 60)
    assert ends(kept)[-1] == 24 * 60
    job.run(2)
    assert ends(kept) == [2]


def test_rows_that_waited_for_the_store_are_written_before_they_are_evaluated(
    job: Job, kept: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(kept, outliers(), 0)
    with monkeypatch.context() as patch:
        patch.setattr(kept.history, "models", away)
        job.run(1)
    job.run(2)
    assert ends(kept) == []
    write(kept, outliers(), 1.5)
    job.run(3)
    assert [window.rows for window in windows(kept)][-1] == 2 * SHARE_ROWS

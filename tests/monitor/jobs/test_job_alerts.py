"""Whether jobs go well: one episode for each job that fails, whatever others do."""

from datetime import UTC, datetime, timedelta

from common.store import Store
from monitor.jobs.job_alerts import JobAlerts
from monitor.statistics.breaches import RUN_FAILED

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)


def open_alerts(store: Store) -> dict[tuple[str, str], str]:
    return {(alert.problem, alert.subject): alert.message for alert in store.alerts.open()}


def test_jobs_fail_and_recover_each_for_itself(kept: Store) -> None:
    runs = JobAlerts(kept)
    runs.failed("", "a", "a fails", NOON)
    runs.failed("", "b", "b fails", NOON)
    runs.failed("iris", "a", "a fails for iris", NOON)
    assert open_alerts(kept) == {("", "a"): "a fails", ("", "b"): "b fails", ("iris", "a"): "a fails for iris"}
    runs.succeeded("", "a", LATER)
    assert open_alerts(kept).keys() == {("", "b"), ("iris", "a")}


def test_failing_again_is_the_same_episode_with_the_new_message(kept: Store) -> None:
    runs = JobAlerts(kept)
    runs.failed("", "a", "first", NOON)
    runs.failed("", "a", "second", LATER)
    [alert] = kept.alerts.open()
    assert (alert.kind, alert.message, alert.began_at, alert.seen_at) == (RUN_FAILED, "second", NOON, LATER)


def test_an_alert_that_another_process_left_open_is_closed_by_a_success(kept: Store) -> None:
    JobAlerts(kept).failed("", "a", "a fails", NOON)
    JobAlerts(kept).succeeded("", "a", LATER)
    assert kept.alerts.open() == []


def test_other_kinds_of_alerts_stay_as_they_are(kept: Store) -> None:
    kept.alerts.settle("iris", {"outliers"}, {("outliers", ""): "many"}, NOON)
    runs = JobAlerts(kept)
    runs.failed("iris", "a", "a fails", NOON)
    assert [alert.kind for alert in kept.alerts.open()] == ["outliers", RUN_FAILED]
    runs.succeeded("iris", "a", LATER)
    assert [(alert.kind, alert.message) for alert in kept.alerts.open()] == [("outliers", "many")]

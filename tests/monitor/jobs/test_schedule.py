"""The jobs at their times: windows, posts and exports come by themselves, and end with the service."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from common.settings import Settings
from common.store import Store
from common.store.trust.tables import correction_events
from monitor.jobs import schedule
from monitor.jobs.evaluation import Evaluator
from monitor.jobs.schedule import EXTERNAL_LOG, Schedule
from monitor.monitor import create_app
from monitor.statistics.breaches import REVIEWS_WAITING, RUN_FAILED
from monitor.statistics.enough import SHARE_ROWS
from monitor.statistics.reference import Reference
from scripts.parts import wait_for
from tests.common.store.rows import prediction
from tests.common.store.trust.queued import quarantine
from tests.conftest import served
from tests.monitor.references import knowing
from tests.receiver import Receiver

OK = (sys.executable, "-c", "pass")


@pytest.fixture(autouse=True)
def export(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "EXPORT", OK)
    monkeypatch.setattr(schedule, "POST_SECONDS", 1)


@pytest.fixture
def lab(on_either: Settings) -> Settings:
    """The settings of a lab that does everything each second."""
    return on_either.model_copy(update={"evaluate_seconds": 1, "window_seconds": 5, "export_seconds": 1})


@contextmanager
def running(settings: Settings, reference: Reference | None = None) -> Iterator[Store]:
    store = Store(settings.database_url)
    jobs = Schedule(settings, store, knowing(store, reference))
    jobs.start()
    try:
        yield store
    finally:
        jobs.stop()
        store.close()


def write(store: Store, rows: int = SHARE_ROWS) -> None:
    now = datetime.now(UTC)
    store.predictions.write([prediction(f"{now} {number}", at=now) | {"is_outlier": True} for number in range(rows)])


def test_windows_come_by_themselves_and_alerts_are_posted(lab: Settings, learnt: Reference, receiver: Receiver) -> None:
    posting = Settings(**lab.model_dump(exclude={"alert_webhook_url"}), alert_webhook_url=receiver.url)
    with running(posting, learnt) as store:
        write(store)
        wait_for("the alert", lambda: receiver.posted, within=20)
        newest = wait_for("a window", lambda: store.windows.newest("iris"))
    [posted] = receiver.posted
    assert (posted["problem"], posted["kind"]) == ("iris", "outliers")
    assert newest.ended_at.microsecond == 0
    assert newest.ended_at - newest.began_at == timedelta(seconds=5)


def test_corrections_that_wait_for_a_reviewer_are_watched_by_themselves(lab: Settings) -> None:
    with running(lab) as store:
        quarantine(store, "a", at=datetime.now(UTC) - timedelta(days=2))
        with store._database.writing() as connection:
            connection.execute(correction_events.delete())  # as of corrections that are older than the store's history
        [alert] = wait_for("the alert", store.alerts.open, within=20)
    assert (alert.problem, alert.kind) == ("iris", REVIEWS_WAITING)


def test_an_external_log_that_fails_is_an_alert_until_one_goes_well(
    lab: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    good = tmp_path / "good"
    code = f"import os, sys; sys.exit(0 if os.path.exists({str(good)!r}) else 'MLflow is away')"
    monkeypatch.setattr(schedule, "EXPORT", (sys.executable, "-c", code))
    with running(lab) as store:
        [alert] = wait_for("the alert", store.alerts.open, within=20)
        assert (alert.problem, alert.kind, alert.subject) == ("", RUN_FAILED, EXTERNAL_LOG)
        assert alert.message == "the external log could not be written: MLflow is away"
        good.touch()
        wait_for("its end", lambda: not store.alerts.open(), within=20)


def test_a_program_that_cannot_be_started_is_an_alert_too(lab: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "EXPORT", ("/no/such/program",))
    with running(lab) as store:
        [alert] = wait_for("the alert", store.alerts.open, within=20)
    assert "/no/such/program" in alert.message


def test_every_run_of_a_job_is_on_the_same_thread(offline: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    monkeypatch.setattr(Evaluator, "run", lambda _: threads.append(threading.get_ident()))
    with running(offline.model_copy(update={"evaluate_seconds": 1, "window_seconds": 5, "export_seconds": 1})):
        wait_for("five runs", lambda: len(threads) >= 5, within=20)
    assert len(set(threads)) == 1


def test_no_thread_and_no_process_is_left_of_a_service_that_ends(
    offline: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "EXPORT", (sys.executable, "-c", "import time; time.sleep(600)"))
    busy = offline.model_copy(update={"evaluate_seconds": 1, "window_seconds": 5, "export_seconds": 1})
    threads = set(threading.enumerate())
    here = psutil.Process()
    children = set(here.children(recursive=True))
    with served(create_app(busy)) as monitor:
        assert monitor.get("/livez").is_success
        wait_for("the export", lambda: set(here.children(recursive=True)) - children, within=20)
    assert set(here.children(recursive=True)) == children
    left = {thread for thread in set(threading.enumerate()) - threads if thread.is_alive()}
    assert {thread.name for thread in left if "APScheduler" in thread.name or "ThreadPool" in thread.name} == set()


def test_the_monitor_says_at_its_start_what_it_watches(offline: Settings, caplog: pytest.LogCaptureFixture) -> None:
    two_minutes = Settings(**offline.model_dump(exclude={"window_seconds"}), window_seconds=120)
    with caplog.at_level(logging.INFO, "monitor"), running(two_minutes):
        pass
    first = caplog.records[0].getMessage()
    assert first.startswith("watching the prediction log of every problem, in windows of 120 s every 60 s: ")
    assert "outliers up to 20%, means of features within 5% of the training rows" in first


def test_jobs_run_at_multiples_of_their_intervals_and_never_beside_themselves(lab: Settings) -> None:
    store = Store(lab.database_url)
    jobs = Schedule(lab.model_copy(update={"evaluate_seconds": 60, "export_seconds": 3600}), store, knowing(store))
    jobs._scheduler.start(paused=True)
    by_name = {job.id: job for job in jobs._scheduler.get_jobs()}
    jobs.stop()
    store.close()
    ours = {
        "evaluation",
        "posting",
        "external log",
        "replays",
        "reviews",
        "old buckets",
        "audit log",
        "disk",
        "retention",
    }
    assert by_name.keys() == ours
    assert by_name["evaluation"].next_run_time.timestamp() % 60 == 2
    assert by_name["external log"].next_run_time.timestamp() % 3600 == 2
    assert {name: job.max_instances for name, job in by_name.items() if job.max_instances > 1} == {"replays": 2}
    assert {(job.coalesce, job.misfire_grace_time) for job in by_name.values()} == {(True, None)}

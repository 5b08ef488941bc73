"""Replays that the page has started: they run in a subprocess, fail in words, and survive a killed monitor."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from common.settings import Settings
from common.store import Store, StoreError
from common.store.trust.replays import ReplayRequest, Replays, ReplaySpan
from monitor import replaying
from monitor.jobs.replays import GIVE_UP, ReplayJob
from scripts.parts import free_port, wait_for
from tests.common.store.rows import NOON, prediction
from tests.conftest import RegisterByHand
from tests.trust.replay.replayed import CLASSES, COLUMNS, graph, logged_rows
from trust.replay.summary import PageReplay

SPAN = ReplaySpan("iris", NOON, NOON + timedelta(days=1))
ROWS = logged_rows(300)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """A store with 300 rows, answered nearly as the registered version answers; half of them have a ground truth."""
    with closing(Store(settings.database_url)) as store:
        store.predictions.write(
            [
                prediction(row.id, row.class_name, version=row.version, at=row.predicted_at)
                | {"features": row.features, "confidence": row.confidence}
                for row in ROWS
            ]
        )
        yield store


@pytest.fixture
def version(register_by_hand: RegisterByHand) -> int:
    return register_by_hand(graph())


def ended(store: Store, name: str) -> ReplayRequest:
    found = store.trust.replays.get(name)
    assert found
    assert found.finished_at
    assert store.trust.replays.open() is None
    return found


def result(store: Store, name: str) -> PageReplay:
    found = ended(store, name)
    assert found.error is None
    return PageReplay.model_validate(found.summary)


def changed() -> list[tuple[str, str]]:
    """Return the changed answers, newest first."""
    found = [(row, CLASSES[max(range(3), key=lambda place: float(row.features[COLUMNS[place]]))]) for row in ROWS]
    return [(row.id, name) for row, name in found if row.class_name != name][::-1]


def test_a_replay_gets_its_figures_and_its_changed_answers(settings: Settings, store: Store, version: int) -> None:
    name = store.trust.replays.request(version, SPAN)
    ReplayJob(settings, store).run()
    found = result(store, name)
    assert (found.figures.version, found.figures.rows, found.figures.changed) == (version, 300, len(changed()))
    assert [(each[0], each[1]) for each in found.changed] == changed()
    assert found.columns == list(COLUMNS)
    assert ended(store, name).done == 300


def test_without_an_open_replay_no_process_is_started(settings: Settings, store: Store) -> None:
    ReplayJob(settings, store, ("/no/such/program",)).run()


def test_of_many_rows_the_newest_are_replayed_and_the_newest_changes_are_kept(
    settings: Settings, store: Store, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "PAGE_ROWS", 120)
    monkeypatch.setattr(replaying, "PAGE_CHANGED", 5)
    name = store.trust.replays.request(version, SPAN)
    asked = store.trust.replays.open()
    assert asked
    replaying.run(settings, store, asked)
    found = result(store, name)
    assert (found.figures.first, found.figures.rows) == (ROWS[-120].predicted_at, 120)
    assert [(each[0], each[1]) for each in found.changed] == changed()[:5]
    assert found.figures.changed > 5


def test_a_version_that_is_not_registered_is_named(settings: Settings, store: Store, version: int) -> None:
    name = store.trust.replays.request(version + 1, SPAN)
    ReplayJob(settings, store).run()
    assert ended(store, name).error == f"IrisModel has no version {version + 1}: the newest one is {version}"


def test_a_time_without_rows_is_an_error(settings: Settings, store: Store, version: int) -> None:
    name = store.trust.replays.request(version, ReplaySpan("iris", SPAN.until, SPAN.until + timedelta(days=1)))
    ReplayJob(settings, store).run()
    assert ended(store, name).error == "the log has no row of this problem in this time"


def test_a_problem_without_a_log_is_an_error(settings: Settings, store: Store) -> None:
    name = store.trust.replays.request(1, ReplaySpan("breast_cancer", SPAN.since, SPAN.until))
    ReplayJob(settings, store).run()
    assert ended(store, name).error == "the log has no row of breast_cancer"


def test_while_mlflow_is_away_the_error_names_its_address(settings: Settings, store: Store) -> None:
    away = settings.model_copy(update={"mlflow_uri": f"http://127.0.0.1:{free_port()}"})
    name = store.trust.replays.request(1, SPAN)
    ReplayJob(away, store).run()
    assert str(ended(store, name).error).startswith(f"no MLflow at {away.mlflow_uri}")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os.kill(os.getpid(), 9)", "the replay has failed: it ended with code -9"),
        ("import sys; sys.exit('out of luck')", "the replay has failed: out of luck"),
    ],
    ids=str,
)
def test_a_process_that_dies_fails_the_replay(settings: Settings, store: Store, code: str, words: str) -> None:
    name = store.trust.replays.request(1, SPAN)
    ReplayJob(settings, store, (sys.executable, "-c", code)).run()
    assert ended(store, name).error == words


def test_a_replay_of_a_killed_monitor_is_begun_again(settings: Settings, store: Store, version: int) -> None:
    name = store.trust.replays.request(version, SPAN)
    begun = f"""if True:
        import time
        from contextlib import closing
        from common.store import Store
        with closing(Store({settings.database_url!r})) as store:
            store.trust.replays.start({name!r})
            store.trust.replays.progress({name!r}, 100)
        time.sleep(600)"""
    killed = ReplayJob(settings, store, (sys.executable, "-c", begun))
    running = threading.Thread(target=killed.run)
    running.start()
    wait_for("progress", lambda: (found := store.trust.replays.open()) and found.done == 100)
    killed.run()  # does nothing while the process runs
    killed.stop()
    running.join()
    left = store.trust.replays.open()
    assert left
    assert left.started_at
    ReplayJob(settings, store).run()
    assert result(store, name).figures.rows == 300


def test_a_replay_that_is_interrupted_each_time_is_given_up(settings: Settings, store: Store) -> None:
    name = store.trust.replays.request(1, SPAN)
    later = datetime.now(UTC) + GIVE_UP + timedelta(seconds=1)
    ReplayJob(settings, store, ("/no/such/program",), clock=lambda: later).run()
    assert str(ended(store, name).error).startswith("it was interrupted each time")


def test_while_the_store_is_away_the_job_says_so_once_and_goes_on(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(_: Replays) -> None:
        raise StoreError("the store cannot be read")

    job = ReplayJob(settings, store)
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(Replays, "open", away)
        job.run()
        job.run()
    assert [each.getMessage() for each in caplog.records] == ["replays cannot be run: the store cannot be read"]
    job.run()

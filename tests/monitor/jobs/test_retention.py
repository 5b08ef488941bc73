"""Retention deletes what the settings name, a bit in each run, and never what they do not name."""

import logging
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from common.settings import Settings
from common.store import Store
from monitor.jobs import retention
from monitor.jobs.retention import RetentionJob, RetentionRun
from tests.common.store.rows import NOON, SETOSA, prediction
from tests.monitor.references import Clock, away

DAY = timedelta(days=1)


@pytest.fixture
def kept(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store with a row, and a row with ground truth, on each of five days before `NOON`."""
    monkeypatch.setattr(retention, "SHARE_OF_TIME", 1.0)
    with closing(Store(sqlite_url)) as store:
        for age in range(5):
            at = NOON - age * DAY
            store.predictions.write([prediction(f"plain {age}", at=at), prediction(f"known {age}", at=at)])
            store.feedback.give(f"known {age}", SETOSA)
        yield store


def run(store: Store, predictions: str = "", truths: str = "") -> RetentionRun:
    settings = Settings(retain_predictions=predictions, retain_ground_truths=truths)
    return RetentionJob(settings, store, clock=Clock(NOON + timedelta(minutes=1))).run()


def left(store: Store) -> list[str]:
    names = [f"{kind} {age}" for kind in ("plain", "known") for age in range(5)]
    return [name for name in names if store.predictions.get(name)]


def test_nothing_goes_without_a_setting(kept: Store) -> None:
    assert run(kept).deleted == 0
    assert len(left(kept)) == 10


def test_rows_go_by_their_age_and_those_with_ground_truth_by_a_limit_of_their_own(
    kept: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "monitor.jobs.retention"):
        assert run(kept, "2d").deleted == 3
    assert left(kept) == ["plain 0", "plain 1", *(f"known {age}" for age in range(5))]
    assert "MLflow's external log never had 3 of the deleted rows" in caplog.text
    assert run(kept, "2d", "4d").deleted == 1
    assert left(kept) == ["plain 0", "plain 1", *(f"known {age}" for age in range(4))]


def test_the_oldest_rows_go_while_the_log_is_larger_than_it_may_be(kept: Store) -> None:
    kept.predictions.write([prediction(f"more {number:04}", at=NOON) for number in range(2_000)])
    size = kept.retention.sizes.now()
    assert size.used > 10**6
    found = run(kept, "1MB")
    assert found.deleted >= (size.used - 10**6) / (size.row_bytes or 1)
    assert kept.retention.sizes.now().used < size.used
    assert left(kept)[0] != "plain 4"
    assert kept.predictions.get("more 1999")  # the newest stay
    assert run(kept, "500MB").deleted == 0


def test_a_job_that_was_stopped_ends_and_a_store_that_is_away_is_no_error(
    kept: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = RetentionJob(Settings(retain_predictions="1d"), kept, clock=Clock(NOON + DAY))
    job.stop()
    assert job.run().deleted == 0
    with monkeypatch.context() as patched:
        patched.setattr(kept.history, "models", away)
        assert run(kept, "1d").deleted == 0

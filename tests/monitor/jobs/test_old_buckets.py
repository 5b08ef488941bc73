"""The job deletes what is too old, and leaves the rest for the next run when the store is away."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.store import Store
from common.store.timeline.tables import KEPT
from common.store.timeline.timeline import TimeSpan
from monitor.jobs.old_buckets import OldBuckets
from tests.common.store.rows import MODEL, prediction
from tests.monitor.references import Clock, away


def test_old_buckets_are_deleted_as_soon_as_the_store_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, now = Store(f"sqlite:///{tmp_path}/lab.db"), datetime.now(UTC)
    store.predictions.write([prediction("a", at=now)])
    span = TimeSpan("iris", MODEL, now - timedelta(days=1), now + timedelta(days=1))
    job = OldBuckets(store, Clock(now + KEPT[10] + timedelta(minutes=1)))
    with monkeypatch.context() as patched:
        patched.setattr(store.timeline, "delete_old", away)
        job.run()
    assert len(store.timeline.counts(span, 10)) == 1
    job.run()
    assert store.timeline.counts(span, 10) == []
    assert len(store.timeline.counts(span, 60)) == 1
    store.close()

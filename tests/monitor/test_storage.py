"""The figures of the disk and of the log, their metrics, alerts, and the panel on the overview."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from common.disk_space import GB, Disk
from common.settings import Settings
from common.store import Store
from common.store.retention.retention import BEGIN
from monitor.jobs.disk_alerts import DiskAlerts
from monitor.metrics.storage_metrics import storage_metrics
from monitor.page.tabs.storage import storage_panels
from monitor.page.view import Backends, Selection, View
from monitor.storage import Storage
from tests.common.store.rows import NOON, prediction
from tests.monitor.references import Clock, knowing

DAY = timedelta(days=1)
ROOMY = Disk(Path("/lab/.lab"), 0.5, 50 * GB)
FULL = Disk(Path("/lab/.lab"), 0.93, GB)
ROWS = 1_000


@pytest.fixture
def kept(sqlite_url: str) -> Iterator[Store]:
    with closing(Store(sqlite_url)) as store:
        store.predictions.write([prediction(f"{number:04}", at=NOON) for number in range(ROWS)])
        store.predictions.write([prediction("old", at=NOON - 3 * DAY)])
        yield store


def storage(store: Store, disk: Disk = ROOMY, **changes: str) -> Storage:
    ours = {"disk_limit_percent": 90, "database_url": "sqlite:////lab/.lab/lab.db"}
    settings = Settings().model_copy(update={**ours, **changes})
    return Storage(settings, store, lambda: [disk], Clock(NOON + DAY))


def panel(store: Store, found: Storage) -> dict[str, tuple[str, str]]:
    backends = Backends(store, knowing(store, None), "", "", storage=found)
    [shown] = storage_panels(View(backends, Selection(problem="iris", since=NOON.date(), until=NOON.date())))
    return {str(name): (str(value), str(text)) for name, value, text in shown.rows} | {"warning": (shown.warning, "")}


def test_the_days_that_are_left_follow_from_the_rows_of_yesterday(kept: Store) -> None:
    found = storage(kept).figures()
    assert found.rows_a_day == ROWS
    assert found.log.rows == ROWS + 1
    assert found.days_left == pytest.approx(50 * GB / (ROWS * found.log.used / (ROWS + 1)), rel=0.01)
    assert storage(kept, retain_predictions="90d").figures().days_left is None  # the log stops growing before
    assert storage(kept, retain_predictions="1GB").figures().days_left is None
    elsewhere = storage(kept, database_url="postgresql+psycopg://db/lab")
    assert elsewhere.figures().days_left is None


def test_the_metrics_show_disk_log_and_missing_rows(kept: Store) -> None:
    kept.retention.step("iris", BEGIN, NOON)
    samples = {each.name: each for family in storage_metrics(storage(kept).figures()) for each in family.samples}
    assert samples["disk_used_ratio"].labels == {"folder": "/lab/.lab"}
    assert samples["disk_used_ratio"].value == 0.5
    assert samples["disk_free_bytes"].value == 50 * GB
    assert samples["log_rows"].value == ROWS
    assert samples["log_oldest_timestamp_seconds"].value == NOON.timestamp()
    assert samples["log_missing_rows_total"].labels == {"problem": "iris", "reason": "deleted"}
    assert samples["log_missing_rows_total"].value == 1
    assert samples["disk_left_seconds"].value > 1_000 * 86_400


def test_an_alert_is_open_while_the_disk_is_nearly_full(kept: Store) -> None:
    DiskAlerts(kept, storage(kept)).run()
    assert kept.alerts.open("") == []
    DiskAlerts(kept, storage(kept, FULL)).run()
    [alert] = kept.alerts.open("")
    assert alert.kind == "disk_full"
    assert alert.message.startswith("the disk of /lab/.lab is 93.0 % full, and 1 GB are free; from 90 % on")
    DiskAlerts(kept, storage(kept)).run()
    assert kept.alerts.open("") == []
    DiskAlerts(kept, storage(kept, Disk(Path("/lab/.lab"), 0.5, 4_000_000))).run()
    [alert] = kept.alerts.open("")
    assert alert.kind == "disk_filling"
    assert "if each day brings 1,000 rows as yesterday" in alert.message


def test_the_overview_says_how_full_the_disk_is_and_what_is_gone(kept: Store) -> None:
    kept.retention.step("iris", BEGIN, NOON)
    shown = panel(kept, storage(kept, FULL))
    assert shown["Disk of .lab/"] == ("93.0 % full", "1 GB free")
    assert shown["Oldest row of iris"] == (f"{NOON:%Y-%m-%d %H:%M} UTC", "rows stay for ever")
    assert shown["Deleted rows of iris"][0] == "1"
    assert shown["warning"][0].startswith("The disk of /lab/.lab is nearly full")
    calm = panel(kept, storage(kept, retain_predictions="90d"))
    assert calm["warning"] == ("", "")
    assert calm["Days until it is full"] == ("not known", "RETAIN_PREDICTIONS bounds the log")

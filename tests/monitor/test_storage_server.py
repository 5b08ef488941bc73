"""The disk of a store in PostgreSQL, known by a folder on it or by its size: its figures, alert, panel and sampling."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.log_sampling.sampled_log import SampledLog
from api.metrics.declared import Metrics
from common.disk_space import GB, SERVER
from common.settings import Settings
from common.store import Store, StoreError
from common.store.retention import log_size
from monitor.jobs.disk_alerts import DiskAlerts
from monitor.metrics.storage_metrics import storage_metrics
from monitor.storage import Storage
from tests.common.store.rows import NOON, prediction
from tests.monitor.references import Clock
from tests.monitor.test_storage import panel

DAY = timedelta(days=1)
ROWS = 20_000


@pytest.fixture
def kept(postgres_url: str) -> Iterator[Store]:
    with closing(Store(postgres_url)) as store:
        yield store


def write(store: Store, prefix: str, rows: int = ROWS) -> None:
    for start in range(0, rows, 1_000):
        ids = [f"{prefix}-{number:020}" for number in range(start, min(start + 1_000, rows))]
        store.predictions.write([prediction(each, at=NOON) for each in ids])


def settings(url: str, disk: str, **changes: object) -> Settings:
    return Settings().model_copy(update={"database_url": url, "store_disk": disk, "disk_limit_percent": 90} | changes)


def storage(store: Store, url: str, disk: str, **changes: object) -> Storage:
    return Storage(settings(url, disk, **changes), store, clock=Clock(NOON + DAY))


def test_a_row_takes_as_much_of_the_servers_disk_as_the_figures_say(kept: Store) -> None:
    write(kept, "first")
    before = kept.retention.sizes.on_server()
    write(kept, "next")
    grown = (kept.retention.sizes.on_server() - before) / ROWS
    assert kept.retention.sizes.now().row_bytes == pytest.approx(grown, rel=0.25)


def test_the_days_that_are_left_follow_from_the_size_of_the_servers_disk(kept: Store, postgres_url: str) -> None:
    assert storage(kept, postgres_url, "100GB").figures().days_left is None  # no row says how large one is
    write(kept, "day", 1_000)
    found = storage(kept, postgres_url, "100GB").figures()
    free = 100 * GB - kept.retention.sizes.on_server()
    assert found.disks[-1].folder == SERVER
    assert found.disks[-1].free == free
    assert found.days_left == pytest.approx(free / (1_000 * (found.log.row_bytes or 0)))
    samples = {each.name: each for family in storage_metrics(found) for each in family.samples}
    assert samples["disk_left_seconds"].value == pytest.approx((found.days_left or 0) * 86_400)
    shown = panel(kept, storage(kept, postgres_url, "100GB"))
    assert shown["Disk of PostgreSQL"][1] == "98.9 GB free"  # 1 GB are for the log of changes
    assert shown["Days until it is full"][1] == "if each day brings 1,000 rows as yesterday"
    assert storage(kept, postgres_url, "100GB", retain_predictions="90d").figures().days_left is None


def test_the_days_that_are_left_follow_from_a_folder_on_the_servers_disk(
    kept: Store, postgres_url: str, tmp_path: Path
) -> None:
    write(kept, "day", 1_000)
    found = storage(kept, postgres_url, str(tmp_path)).figures()
    assert found.days_left == pytest.approx(found.disks[-1].free / (1_000 * (found.log.row_bytes or 0)))
    for unknown in ("", f"{tmp_path}/not/mounted"):
        assert storage(kept, postgres_url, unknown).figures().days_left is None
        shown = panel(kept, storage(kept, postgres_url, unknown))
        assert shown["Days until it is full"] == (
            "not known", "STORE_DISK does not say how large PostgreSQL's disk is"
        )  # fmt: skip


def test_an_alert_says_that_the_servers_disk_fills(kept: Store, postgres_url: str) -> None:
    write(kept, "day", 1_000)
    taken = kept.retention.sizes.on_server()
    DiskAlerts(kept, storage(kept, postgres_url, "1TB")).run()
    assert kept.alerts.open("") == []
    size = f"{taken // 10**6 + 5}MB"  # room for less than 14 days
    DiskAlerts(kept, storage(kept, postgres_url, size)).run()
    assert {each.kind for each in kept.alerts.open("")} == {"disk_full", "disk_filling"}


def test_the_log_is_sampled_while_the_servers_disk_is_nearly_full(kept: Store, postgres_url: str) -> None:
    rows = [prediction(f"{number:04}") for number in range(400)]
    size = f"{kept.retention.sizes.on_server() // 10**6 + 5}MB"
    written = SampledLog(kept, settings(postgres_url, size), Metrics()).write(rows)
    assert 20 < written < 60  # about a tenth
    assert kept.retention.missing.totals()[0].rows == 400 - written


def test_a_size_that_nobody_tells_costs_no_row(kept: Store, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_size, "_ON_SERVER", "SELECT nothing")
    with pytest.raises(StoreError):
        kept.retention.sizes.on_server()
    log = SampledLog(kept, settings(postgres_url, "1MB"), Metrics())
    assert log.write([prediction(f"{number:04}") for number in range(50)]) == 50


def test_a_role_without_rights_may_ask_for_the_size(kept: Store, postgres_url: str) -> None:
    with sa.create_engine(postgres_url, poolclass=sa.NullPool).connect() as connection:
        for statement in ("CREATE ROLE onlooker", "SET LOCAL ROLE onlooker"):
            connection.exec_driver_sql(statement)
        found = connection.execute(sa.text(log_size._ON_SERVER)).scalar_one()
        connection.rollback()
    assert found == kept.retention.sizes.on_server()

"""Rows that the prediction log cannot write are in the spool, and come into the store once, even after a kill."""

import shutil
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from api.inference.prediction_log import PredictionLog
from api.metrics.declared import Metrics
from api.spool.spool_file import REFUSED
from api.spool.spool_metrics import SpoolMetrics
from api.spool.spooled_log import SpooledLog
from common.problem import get_problem
from common.settings import Settings
from common.store import Store, StoreError
from common.store.database import BadRowError
from common.store.predictions import PredictionRow
from scripts.parts import stop, wait_for
from tests import servers
from tests.api.inference.test_prediction_log import SETOSA_ROW, ask, counted, log_size, logged, store_of
from tests.api.routes.test_bad_requests import check_problem
from tests.api.spool.test_spool import is_open, of_kind
from tests.common.store.rows import prediction
from tests.conftest import running_api
from tests.postgres import Postgres, postgres_server
from tests.soak.parts import PostgresPart
from tests.test_breaking import check_whole

KEPT = "spool_kept_total"


def rename(store: Store, before: str, after: str) -> None:
    with store._database.writing() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {before} RENAME TO {after}")


def test_rows_that_the_table_does_not_take_are_in_the_spool_and_in_the_table_once_when_it_is_back(
    on_either: Settings,
) -> None:
    with running_api(on_either) as api, store_of(on_either) as store:
        rename(store, "predictions", "away")
        sent = [answer["prediction_id"] for _ in range(50) for answer in ask(api, SETOSA_ROW)]
        wait_for("the spool", lambda: of_kind(api, KEPT, "predictions") == len(sent))
        assert counted(api, "prediction_log_waiting_rows") == counted(api, "prediction_log_rows_total") == 0
        ready = api.get("/readyz").raise_for_status().json()
        assert ready["store"] == "away"
        assert "The prediction log is in the spool: 0.0 MB" in ready["detail"]
        rename(store, "away", "predictions")
        # The truth waits until its prediction is in the store.
        truth = {"prediction_id": sent[-1], "class_name": "Iris-setosa"}
        assert api.post("/feedback", json=truth).status_code == 200
        assert [row["id"] for row in logged(store)] == sent
        assert is_open(api)
        assert api.get("/readyz").json() == {"health": "ok"}
        assert counted(api, "prediction_log_rows_total") == of_kind(api, "spool_brought_in_total", "predictions") == 50
        sent += [answer["prediction_id"] for answer in ask(api, SETOSA_ROW)]
        wait_for("the next row", lambda: log_size(store) == len(sent))
        assert of_kind(api, KEPT, "predictions") == len(sent) - 1
        assert not list((on_either.state_dir / "spool").glob("*.jsonl"))
        check_whole(store)


def test_rows_that_waited_for_postgresql_in_a_killed_api_are_brought_in_by_the_next_one(
    with_copy: Settings, postgres: Postgres, postgres_url: str
) -> None:
    lab = with_copy.model_copy(update={"database_url": postgres_url})
    with servers.api_process(lab) as (url, process), httpx.Client(base_url=url, timeout=30.0) as api:
        [known] = ask(api, SETOSA_ROW)
        truth = {"prediction_id": known["prediction_id"], "class_name": "Iris-setosa"}
        assert api.post("/feedback", json=truth).status_code == 200
        with postgres.stopped():
            sent = [answer["prediction_id"] for _ in range(50) for answer in ask(api, SETOSA_ROW)]
            wait_for("the spool", lambda: of_kind(api, KEPT, "predictions") == len(sent))
            check_problem(api.post("/feedback", json={**truth, "prediction_id": sent[0]}), 503)
            stop(process, signal.SIGKILL)
    with running_api(lab) as api:
        wait_for("the store", lambda: is_open(api))
        assert api.post("/feedback", json={**truth, "prediction_id": sent[0]}).status_code == 200
    with store_of(lab) as store:
        assert Counter(row["id"] for row in logged(store)) == Counter([known["prediction_id"], *sent])
        check_whole(store)


def test_rows_of_a_spool_that_somebody_deletes_under_a_running_api_come_into_the_table(on_either: Settings) -> None:
    folder = on_either.state_dir / "spool"
    with running_api(on_either) as api, store_of(on_either) as store:
        rename(store, "predictions", "away")
        sent = [answer["prediction_id"] for answer in ask(api, SETOSA_ROW, SETOSA_ROW)]
        wait_for("the spool", lambda: of_kind(api, KEPT, "predictions") == 2)
        shutil.rmtree(folder)
        rename(store, "away", "predictions")
        wait_for("the rows", lambda: log_size(store) == 2)
        assert [row["id"] for row in logged(store)] == sent
        wait_for("the end of the spool", lambda: api.get("/readyz").json() == {"health": "ok"})
        rename(store, "predictions", "away")
        ask(api, SETOSA_ROW)
        wait_for("the next spool", lambda: of_kind(api, KEPT, "predictions") == 3)
        assert [path.suffix for path in folder.iterdir()] == [".jsonl"]


def test_an_api_that_ends_while_its_table_is_away_leaves_its_rows_to_the_next_one(with_copy: Settings) -> None:
    with store_of(with_copy) as store:
        with running_api(with_copy) as api:
            rename(store, "predictions", "away")
            [answer] = ask(api, SETOSA_ROW)
        rename(store, "away", "predictions")
        assert log_size(store) == 0
        with running_api(with_copy) as api:
            wait_for("the store", lambda: is_open(api))
        assert [row["id"] for row in logged(store)] == [answer["prediction_id"]]


def test_rows_that_came_from_the_spool_outlive_a_kill_of_postgresql(offline: Settings) -> None:
    with postgres_server() as server, server.database() as url, store_of(with_url(offline, url)) as store:
        # Without a durable transaction, nothing of it would be in the files for ten seconds.
        server._run("ALTER SYSTEM SET wal_writer_delay TO '10s'", "SELECT pg_reload_conf()")
        metrics = Metrics()
        log = PredictionLog(get_problem("iris"), store.predictions, metrics)
        spooled = SpooledLog(log, offline, metrics, SpoolMetrics(metrics))
        rename(store, "predictions", "away")
        assert spooled.write([prediction("p")]) == 0
        rename(store, "away", "predictions")
        spooled.start()
        wait_for("the row", lambda: not spooled.away, every=0.005)
        part = PostgresPart(server, Path(str(server._server.pgdata)), url)
        part.kill()
        wait_for("PostgreSQL", part.is_well, every=0.2)
        part.close()
        spooled.stop()
        assert log_size(store) == 1


def with_url(settings: Settings, url: str) -> Settings:
    return settings.model_copy(update={"database_url": url})


class FailingLog:
    """Takes rows while `error` is None, but never one of `bad`."""

    def __init__(self) -> None:
        self.error: StoreError | None = None
        self.bad: set[str] = set()
        self.ids: list[str] = []
        self.durable: list[bool] = []

    def write(self, rows: Sequence[PredictionRow], *, durable: bool = False) -> int:
        if self.error:
            raise self.error
        if self.bad & {row["id"] for row in rows}:
            raise BadRowError("no database takes this row")
        self.ids += [row["id"] for row in rows]
        self.durable.append(durable)
        return len(rows)


@pytest.fixture
def failing() -> FailingLog:
    return FailingLog()


@pytest.fixture
def spooled(offline: Settings, failing: FailingLog) -> SpooledLog:
    metrics = Metrics()
    log = PredictionLog(get_problem("iris"), failing, metrics)  # type: ignore[arg-type]  # it takes rows as the real one
    return SpooledLog(log, offline.model_copy(update={"spool_mb": 1}), metrics, SpoolMetrics(metrics))


def test_a_row_that_no_database_takes_is_refused_at_once_and_written_down_when_it_comes_from_the_spool(
    spooled: SpooledLog, failing: FailingLog, offline: Settings
) -> None:
    failing.bad = {"bad"}
    with pytest.raises(BadRowError):
        spooled.write([prediction("bad")])
    failing.error = StoreError("no answer")
    assert spooled.write([prediction("good"), prediction("bad"), prediction("next")]) == 0
    assert spooled.away
    failing.error = None
    spooled.start()
    wait_for("the rows", lambda: not spooled.away)
    spooled.stop()
    assert failing.ids == ["good", "next"]
    [refused] = (offline.state_dir / "spool" / REFUSED).read_text().splitlines()
    assert "no database takes this row" in refused


def test_rows_for_which_the_spool_has_no_room_are_not_taken(spooled: SpooledLog, failing: FailingLog) -> None:
    failing.error = StoreError("no answer")
    rows = [prediction(f"p{number}") for number in range(1_000)]
    assert spooled.write(rows) == 0
    with pytest.raises(StoreError, match=r"no answer; the store is away, and the spool in .* is full: 1 MB"):
        spooled.write(rows * 4)
    failing.error = None
    spooled.start()
    wait_for("the rows", lambda: not spooled.away)
    assert spooled.write(rows) == len(rows)
    spooled.stop()
    assert set(failing.ids) == {row["id"] for row in rows}


def test_a_flush_fails_while_rows_are_in_the_spool(spooled: SpooledLog, failing: FailingLog) -> None:
    failing.error = StoreError("no answer")
    spooled.write([prediction("p")])
    spooled.start()
    assert not spooled.flush(0.05)
    failing.error = None
    assert spooled.flush(10.0)
    spooled.stop()
    assert failing.ids == ["p"]
    assert spooled.write([prediction("next")]) == 1
    assert failing.durable == [True, False]

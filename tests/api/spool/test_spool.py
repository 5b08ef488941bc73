"""A damaged store does not stop predictions, and nothing that was acknowledged meanwhile is lost or doubled."""

import shutil
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from api.metrics.declared import Metrics
from api.spool.spool_file import REFUSED, Spool, SpoolFile
from api.spool.spool_metrics import SpoolMetrics
from api.spool.spooling_store import SpoolingStore
from common.settings import Settings
from common.store import Store, StoreError
from common.store.late_store import LateStore, open_late
from monitor.monitor import create_app
from scripts.backup import restore, save
from scripts.backup.archive import BackupError
from scripts.parts import stop, wait_for
from tests import servers
from tests.api.inference.test_prediction_log import SETOSA, SETOSA_ROW, ask, counted, logged, store_of, told
from tests.api.metrics.test_declared import samples
from tests.api.routes.test_bad_requests import check_problem
from tests.common.store.rows import prediction
from tests.conftest import running_api, served
from tests.postgres import Postgres
from tests.test_breaking import check_whole

CORRECTION = {**SETOSA, "class_name": "Iris-setosa"}
DAMAGES = {"no database": b"this is no database" * 500, "half a page": b"SQLite format 3\0" + b"\xff" * 3000}


def file_of(lab: Settings) -> Path:
    return Path(str(sa.make_url(lab.database_url).database))


def damage(lab: Settings, content: bytes = DAMAGES["no database"]) -> Path:
    """Replace the store's file by rubbish; return the path of the good one, which is kept beside it."""
    file, good = file_of(lab), file_of(lab).with_name("good.db")
    Store(lab.database_url).close()
    with closing(sqlite3.connect(file)) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.execute("PRAGMA journal_mode=DELETE")
    file.rename(good)
    file.write_bytes(content)
    return good


def mend(lab: Settings, good: Path) -> None:
    good.replace(file_of(lab))


def use(api: httpx.Client) -> tuple[list[str], str]:
    """Predict, tell and correct; return the ids of the predictions, two of which have a truth, and a correction's."""
    ids = [answer["prediction_id"] for answer in ask(api, SETOSA_ROW, SETOSA_ROW, SETOSA_ROW)]
    truth = {"prediction_id": ids[0], "class_name": "Iris-setosa"}
    assert api.post("/feedback", json=truth).json() == truth
    sent = api.post("/suggest", json={**CORRECTION, "prediction_id": ids[1]})
    assert sent.status_code == 202
    return ids, sent.json()["suggestion_id"]


def of_kind(api: httpx.Client, name: str, kind: str) -> float:
    return samples(api, name).get((("kind", kind),), 0)


def is_open(api: httpx.Client) -> bool:
    return counted(api, "store_away") == 0


@pytest.mark.parametrize("content", DAMAGES.values(), ids=DAMAGES)
def test_an_api_with_a_damaged_store_answers_keeps_what_it_is_told_and_brings_it_in_once(
    with_copy: Settings, content: bytes
) -> None:
    with running_api(with_copy) as api:
        [before] = ask(api, SETOSA_ROW)
    good = damage(with_copy, content)
    with running_api(with_copy) as api:
        ready = api.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["store"] == "away"
        assert "cannot be opened" in ready.json()["detail"]
        ids, correction = use(api)
        assert api.post(
            "/feedback", json={"prediction_id": before["prediction_id"], "class_name": "Iris-virginica"}
        ).is_success
        wait_for("the log", lambda: of_kind(api, "spool_kept_total", "predictions") == len(ids))
        assert counted(api, "store_away") == 1
        assert counted(api, "spool_bytes") > 0
        for path in ("/models", f"/predictions/{ids[0]}", f"/suggest/{correction}"):
            check_problem(api.get(path), 503)
        mend(with_copy, good)
        wait_for("the store", lambda: is_open(api))
        assert api.get("/readyz").json() == {"health": "ok"}
        assert api.get(f"/suggest/{correction}").json()["state"] == "received"
        assert api.get(f"/predictions/{ids[0]}").json()[0]["truth"] == "Iris-setosa"
        more, _ = use(api)
        assert counted(api, "spool_bytes") == 0
    with store_of(with_copy) as store:
        assert Counter(row["id"] for row in logged(store)) == Counter([before["prediction_id"], *ids, *more])
        truths = dict.fromkeys((*ids[:2], *more[:2]), "Iris-setosa")
        assert told(store) == truths | {before["prediction_id"]: "Iris-virginica"}
        check_whole(store)


@pytest.mark.parametrize("folder", ["stays", "is deleted"])
def test_an_api_that_starts_while_postgresql_is_away_keeps_what_it_is_told(
    with_copy: Settings, postgres: Postgres, postgres_url: str, folder: str
) -> None:
    lab = with_copy.model_copy(update={"database_url": postgres_url})
    Store(postgres_url).close()
    with postgres.stopped():
        started = running_api(lab)
        api = started.__enter__()
        ids, correction = use(api)
        if folder == "is deleted":
            shutil.rmtree(lab.state_dir / "spool")
    try:
        wait_for("the store", lambda: is_open(api))
        assert api.get(f"/suggest/{correction}").json()["state"] == "received"
    finally:
        started.__exit__(None, None, None)
    with store_of(lab) as store:
        assert Counter(row["id"] for row in logged(store)) == Counter(ids)
        check_whole(store)


def test_the_store_of_a_backup_comes_back_under_a_running_api(with_copy: Settings, tmp_path: Path) -> None:
    with running_api(with_copy) as api:
        before, _ = use(api)
    backup = tmp_path / "lab.zip"
    save.save(with_copy, backup, lambda _: None)
    damage(with_copy)
    with running_api(with_copy) as api:
        ids, _ = use(api)
        with pytest.raises(BackupError, match=r"there is a store at .* already: move it away"):
            restore.restore_store(with_copy, backup, 10**9)
        file_of(with_copy).unlink()
        restore.restore_store(with_copy, backup, 10**9)
        wait_for("the store", lambda: is_open(api))
        assert {api.get(f"/predictions/{each}").json()[0]["truth"] for each in (*before[:2], *ids[:2])} == {
            "Iris-setosa"
        }
    with store_of(with_copy) as store:
        check_whole(store)


def test_what_a_killed_api_has_acknowledged_is_brought_in_by_the_next_one(with_copy: Settings) -> None:
    good = damage(with_copy)
    with servers.api_process(with_copy) as (url, process), httpx.Client(base_url=url, timeout=30.0) as api:
        ids, correction = use(api)
        wait_for("the log", lambda: of_kind(api, "spool_kept_total", "predictions") == len(ids))
        stop(process, signal.SIGKILL)
    # The end of a line that the kill has cut off was never acknowledged.
    [kept] = (with_copy.state_dir / "spool").glob("*.jsonl")
    with kept.open("ab") as file:
        file.write(b'{"kind": "truth", "argum')
    mend(with_copy, good)
    with running_api(with_copy) as api:
        wait_for("the store", lambda: is_open(api))
    with running_api(with_copy):  # nothing is left for this one
        pass
    assert not list((with_copy.state_dir / "spool").glob("*.jsonl"))
    with store_of(with_copy) as store:
        assert Counter(row["id"] for row in logged(store)) == Counter(ids)
        assert told(store) == dict.fromkeys(ids[:2], "Iris-setosa")
        assert store.suggestions.get(correction)
        check_whole(store)


@pytest.mark.thorough
def test_two_workers_bring_in_what_each_was_told_of_the_other_s_predictions(with_copy: Settings) -> None:
    lab = with_copy.model_copy(update={"api_workers": 2})
    good = damage(lab)
    given: dict[str, str] = {}

    def use_both(url: str) -> bool:
        with httpx.Client(base_url=url, timeout=30.0) as api:  # the kernel gives each connection to one of the workers
            [answer] = ask(api, SETOSA_ROW)
        with httpx.Client(base_url=url, timeout=30.0) as api:
            truth = {"prediction_id": answer["prediction_id"], "class_name": "Iris-setosa"}
            assert api.post("/feedback", json=truth).is_success
        given[answer["prediction_id"]] = "Iris-setosa"
        return len(list((lab.state_dir / "spool").glob("*.jsonl"))) == 2 and len(given) > 20

    with servers.api_process(lab) as (url, _):
        wait_for("both workers", lambda: use_both(url))
        mend(lab, good)
        with httpx.Client(base_url=url, timeout=30.0) as api:
            wait_for("the stores", lambda: is_open(api))
    assert not (lab.state_dir / "spool" / REFUSED).exists()
    with store_of(lab) as store:
        assert told(store) == given
        assert Counter(row["id"] for row in logged(store)) == Counter(given.keys())
        check_whole(store)


def test_a_full_spool_refuses_with_503_and_predictions_go_on_and_are_counted(with_copy: Settings) -> None:
    lab = with_copy.model_copy(update={"spool_mb": 1})
    good = damage(lab)
    (lab.state_dir / "spool").mkdir(parents=True)
    (lab.state_dir / "spool" / REFUSED).write_bytes(b" " * (10**6 - 300))
    with running_api(lab) as api:
        [answer] = ask(api, SETOSA_ROW)
        check_problem(api.post("/suggest", json=CORRECTION), 503)
        truth = {"prediction_id": answer["prediction_id"], "class_name": "Iris-setosa"}
        assert api.post("/feedback", json=truth).is_success  # a short one has room
        check_problem(api.post("/feedback", json=truth), 503)
        assert counted(api, "prediction_log_waiting_rows") == 1
        mend(lab, good)
        # The prediction is written to the store as soon as that is open, and the truth waits for it.
        wait_for("the store", lambda: is_open(api))
    with store_of(lab) as store:
        assert told(store) == {answer["prediction_id"]: "Iris-setosa"}
        check_whole(store)


def test_what_the_store_does_not_take_is_written_down_with_its_reason(
    with_copy: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.spool.spooling_store.YOUNG_SECONDS", 0)
    good = damage(with_copy)
    unknown = "0190b5a5-6a20-7a72-8e0a-000000000000"
    with running_api(with_copy) as api:
        ids, _ = use(api)
        for prediction_id, name in ((unknown, "Iris-setosa"), (ids[0], "Iris-virginica")):
            assert api.post("/feedback", json={"prediction_id": prediction_id, "class_name": name}).is_success
        mend(with_copy, good)
        wait_for("the store", lambda: is_open(api))
        assert of_kind(api, "spool_refused_total", "truth") == 2
    refused = (with_copy.state_dir / "spool" / REFUSED).read_text().splitlines()
    assert ["there is no prediction" in refused[0], "Iris-setosa" in refused[1]] == [True, True]
    with store_of(with_copy) as store:
        assert told(store) == dict.fromkeys(ids[:2], "Iris-setosa")


def test_no_new_store_is_made_in_the_place_of_a_damaged_one(offline: Settings) -> None:
    good = damage(offline)
    late: Any = open_late(offline.database_url)
    try:
        assert isinstance(late, LateStore)
        file_of(offline).unlink()
        wait_for("a look", lambda: "there is no store at" in str(late.error))
        with pytest.raises(StoreError, match=r"there is no store at .*; it is tried again"):
            late.champions.history("IrisModel")
        mend(offline, good)
        wait_for("the store", lambda: late.error is None)
        assert late.champions.history("IrisModel") == []
        assert late.trust.replays
    finally:
        late.close()


def test_a_truth_that_comes_while_the_spool_is_brought_in_is_not_lost(
    offline: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Store(offline.database_url)) as store:
        store.predictions.write([prediction("p")])
    bring_in, told_once = SpoolingStore._bring_in, list[int]()

    def bring_in_and_be_told(late: SpoolingStore, *arguments: Any, **options: Any) -> bool:
        found = bring_in(late, *arguments, **options)
        if not told_once:
            told_once.append(1)
            late.feedback.give("p", "Iris-setosa")
        return found

    monkeypatch.setattr(SpoolingStore, "_bring_in", bring_in_and_be_told)
    spool = Spool(offline.state_dir / "spool", 10**6)
    opens = partial(Store, offline.database_url)
    late = SpoolingStore(opens, StoreError("away"), spool, SpoolMetrics(Metrics()))
    late.start()
    try:
        wait_for("the store", lambda: late.away is None)
        [found] = late.predictions.get("p")
        assert found.truth == "Iris-setosa"
    finally:
        late.close()


def test_a_file_that_is_brought_in_while_the_spool_is_measured_counts_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 10**6)
    spool.append({"number": 1})
    size = spool.size()
    (tmp_path / "gone.jsonl").symlink_to(tmp_path / "nowhere")  # in the list of files, and not there
    assert spool.size() == size > 0
    spool.close()


def test_an_append_that_fails_leaves_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path / "spool", 10**6)
    spool.append({"number": 1})
    [[own], _] = spool.files()

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", no_space)
        with pytest.raises(StoreError, match="the spool cannot be written: No space left on device"):
            spool.append({"number": 2})
    spool.append({"number": 3})
    assert [document["number"] for _, document in own.documents()] == [1, 3]
    with pytest.raises(BlockingIOError):
        SpoolFile(own.path)
    spool.close()
    SpoolFile(own.path).close()


def test_a_monitor_starts_with_a_damaged_store_and_says_so(offline: Settings) -> None:
    good = damage(offline)
    with served(create_app(offline)) as monitor:
        assert monitor.get("/livez").is_success
        assert monitor.get("/readyz").status_code == monitor.get("/metrics").status_code == 503
        page = monitor.get("/", headers={"accept": "text/html"})
        assert page.status_code == 503
        assert "cannot read the store" in page.text
        mend(offline, good)
        wait_for("the store", lambda: monitor.get("/readyz").is_success)
        assert monitor.get("/").is_success

"""The log: every answered row is one row of the store, soon and whole, and no answer waits for it."""

import json
import signal
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import numpy as np
import pytest
import sqlalchemy as sa
from onnx import ModelProto, TensorProto, helper, numpy_helper

from api.inference import prediction_log as log
from api.inference.row_queue import GATHER_SECONDS
from common.settings import Settings
from common.store import Store, database
from common.store.tables import feedback, predictions
from common.table import read_table
from scripts.parts import stop, wait_for
from tests import servers
from tests.api.metrics.test_declared import samples
from tests.api.routes.test_bad_requests import check_problem
from tests.conftest import IRIS, KEPT, keep_copy, running_api
from tests.postgres import Postgres

SETOSA = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
SETOSA_ROW = list(SETOSA.values())
CLASSES = ("Iris-setosa", "Iris-versicolor", "Iris-virginica")
BATCH = 10_000


@contextmanager
def store_of(settings: Settings) -> Iterator[Store]:
    with closing(Store(settings.database_url)) as store:
        yield store


def logged(store: Store) -> list[dict[str, Any]]:
    """Return all rows of the log, as they stand in the table."""
    return [dict(row) for row in store._database.read(sa.select(predictions).order_by(predictions.c.id))]


def log_size(store: Store) -> int:
    (row,) = store._database.read(sa.select(sa.func.count().label("rows")).select_from(predictions))
    return int(row["rows"])


def told(store: Store) -> dict[str, str]:
    """Return all truths that are kept, by the id of the prediction."""
    return {row["prediction_id"]: row["class_name"] for row in store._database.read(sa.select(feedback))}


def counted(api: httpx.Client, name: str) -> float:
    return samples(api, name)[()]


def ask(api: httpx.Client, *rows: list[float]) -> list[dict[str, Any]]:
    """Return the answers to some rows, sent as a batch."""
    answers: list[dict[str, Any]] = (
        api.post("/predict", json={"data": list(rows)}).raise_for_status().json()["predictions"]
    )
    return answers


@contextmanager
def write_lock(settings: Settings) -> Iterator[None]:
    """Keep everybody else from writing to the store."""
    with store_of(settings) as store, store._database.writing():
        yield


@pytest.fixture
def no_spool(with_copy: Settings) -> None:
    """Let rows that cannot be written wait in the queue, since the spool cannot be written either."""
    (with_copy.state_dir / "spool").write_text("in the place of the folder")


def by_hand(*limits: float, unfit_above: float = 100.0) -> bytes:
    """Return a model that somebody has written: no probabilities, no outlier scores, no golden rows.

    Its class is the number of limits that the length of the petal is above. A batch with a sepal longer than
    `unfit_above` makes it fail at run time, by reshaping the rows to what they do not fit.
    """
    constants = {
        "petal": np.array(2),
        "sepal": np.array(0),
        "limits": np.array(limits, dtype=np.float32).reshape(1, -1),
        "unfit_above": np.array(unfit_above, dtype=np.float32),
        "nothing": np.array([0]),
        "columns": np.array([1]),
        "only": np.array([0]),
    }
    steps: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("Gather", ["input", "sepal"], "sepals", {"axis": 1}),
        ("Greater", ["sepals", "unfit_above"], "are_unfit", {}),
        ("Cast", ["are_unfit"], "unfit", {"to": TensorProto.INT64}),
        ("ReduceSum", ["unfit", "only"], "surplus", {"keepdims": 1}),
        ("Concat", ["nothing", "surplus"], "change", {"axis": 0}),
        ("Shape", ["input"], "shape", {}),
        ("Add", ["shape", "change"], "wanted", {}),
        ("Reshape", ["input", "wanted"], "rows", {}),
        ("Gather", ["rows", "petal"], "petals", {"axis": 1}),
        ("Unsqueeze", ["petals", "columns"], "column", {}),
        ("Greater", ["column", "limits"], "above", {}),
        ("Cast", ["above"], "steps", {"to": TensorProto.INT64}),
        ("ReduceSum", ["steps", "columns"], "label", {"keepdims": 0}),
    ]
    graph = helper.make_graph(
        [helper.make_node(kind, given, [made], **options) for kind, given, made, options in steps],
        "by_hand",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [None, 4])],
        [helper.make_tensor_value_info("label", TensorProto.INT64, [None])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model: ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    helper.set_model_props(model, {"classes": json.dumps(CLASSES)})
    return bytes(model.SerializeToString())


@pytest.fixture
def api(on_either: Settings) -> Iterator[httpx.Client]:
    with running_api(on_either) as client:
        yield client


def test_an_answered_row_is_one_row_of_the_log_with_its_features_and_its_answer(
    api: httpx.Client, on_either: Settings
) -> None:
    # Numbers that float32 does not have, and one that JSON has as an integer.
    sent = {"sepal_length": 5.1, "sepal_width": 3, "petal_length": 1.4000000001, "petal_width": 0.2}
    before = datetime.now(UTC)
    answer = api.post("/predict", json=sent).json()
    after = datetime.now(UTC)
    with store_of(on_either) as store:
        (row,) = wait_for("the row", lambda: logged(store))
    assert before <= row.pop("predicted_at") <= after
    assert row == {
        "id": answer["prediction_id"],
        "role": "champion",
        "problem": "iris",
        "model_name": "IrisModel",
        "model_version": KEPT,
        "features": sent,
        "class_name": answer["class_name"],
        "probabilities": answer["probabilities"],
        "confidence": max(answer["probabilities"].values()),
        "is_outlier": answer["is_outlier"],
        "outlier_score": answer["outlier_score"],
        "export_id": None,
    }
    assert row["confidence"] == row["probabilities"][row["class_name"]]


def test_a_batch_of_ten_thousand_is_ten_thousand_rows(api: httpx.Client, on_either: Settings) -> None:
    rows = np.random.default_rng(0).uniform(0, 10, (BATCH, 4)).round(3).tolist()
    answers = ask(api, *rows)
    with store_of(on_either) as store:
        wait_for("all rows", lambda: log_size(store) >= BATCH)
        found = {row["id"]: row for row in logged(store)}
    assert list(found) == sorted(answer["prediction_id"] for answer in answers)
    for sent, answer in zip(rows, answers, strict=True):
        row = found[answer["prediction_id"]]
        assert list(row["features"].values()) == sent
        for name in ("class_name", "probabilities", "is_outlier", "outlier_score"):
            assert row[name] == answer[name]
    assert counted(api, "prediction_log_rows_total") == BATCH


def test_the_log_is_a_quarter_of_a_second_behind_at_most(api: httpx.Client, on_either: Settings) -> None:
    behind = []
    with store_of(on_either) as store:
        for number in range(1, 21):
            ask(api, SETOSA_ROW)
            answered = time.monotonic()
            wait_for("the row", lambda number=number: log_size(store) == number, every=0.005)  # type: ignore[misc]
            behind.append(time.monotonic() - answered)
    assert statistics.median(behind) < 0.25


def test_samples_and_refused_requests_leave_no_row(api: httpx.Client, on_either: Settings) -> None:
    assert api.get("/predict/test").is_success
    assert api.get("/metadata").is_success
    assert api.post("/predict", json={**SETOSA, "petal_width": -1}).status_code == 422
    assert api.post("/predict", json={"data": [SETOSA_ROW, [5.1, 3.5, 1.4]]}).status_code == 422
    assert api.post("/predict", content=b"{", headers={"Content-Type": "application/json"}).status_code == 422
    # Rows are written in the order of their answers: when this one is there, no other waits.
    answer = api.post("/predict", json=SETOSA).json()
    with store_of(on_either) as store:
        rows = wait_for("the row", lambda: logged(store))
    assert [row["id"] for row in rows] == [answer["prediction_id"]]


@pytest.mark.usefixtures("no_spool")
def test_a_full_queue_drops_and_counts_and_answers_go_on(with_copy: Settings) -> None:
    rows = [SETOSA_ROW] * BATCH
    with running_api(with_copy) as api, store_of(with_copy) as store:
        with write_lock(with_copy):
            kept = {answer["prediction_id"] for _ in range(log.MAX_WAITING_ROWS // BATCH) for answer in ask(api, *rows)}
            assert counted(api, "prediction_log_waiting_rows") == log.MAX_WAITING_ROWS
            assert len(ask(api, *rows)) == BATCH
            assert api.post("/predict", json=SETOSA).status_code == 200
            assert counted(api, "prediction_log_dropped_total") == BATCH + 1
            assert counted(api, "prediction_log_lag_seconds") > 0
        wait_for("an empty queue", lambda: counted(api, "prediction_log_waiting_rows") == 0)
        assert {row["id"] for row in logged(store)} == kept
        ask(api, SETOSA_ROW)
        wait_for("the next row", lambda: log_size(store) == log.MAX_WAITING_ROWS + 1)
        assert counted(api, "prediction_log_dropped_total") == BATCH + 1


def test_a_process_that_ends_writes_the_rows_that_wait(on_either: Settings) -> None:
    with servers.api_process(on_either) as (url, process), httpx.Client(base_url=url) as api:
        sent = [*ask(api, *[SETOSA_ROW] * 5000), *ask(api, SETOSA_ROW)]
        stop(process)
        assert process.returncode in {0, -signal.SIGTERM}
    with store_of(on_either) as store:
        assert [row["id"] for row in logged(store)] == [answer["prediction_id"] for answer in sent]


@pytest.mark.usefixtures("no_spool")
def test_a_stop_does_not_wait_for_ever_for_a_store_that_is_away(
    with_copy: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 1_500)
    rows = [SETOSA_ROW] * (log.ROWS_PER_TRANSACTION // 2 + 1)
    with store_of(with_copy) as store, ExitStack() as stack:
        api = stack.enter_context(running_api(with_copy))
        with write_lock(with_copy):
            for _ in range(15):
                ask(api, *rows)
            stopping = time.monotonic()
            stack.close()
            assert time.monotonic() - stopping < 15
        assert log_size(store) == 0


@pytest.mark.usefixtures("no_spool")
def test_rows_that_are_answered_while_the_table_is_away_are_written_when_it_is_back(on_either: Settings) -> None:
    with running_api(on_either) as api, store_of(on_either) as store:
        with store._database.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE predictions RENAME TO away")
        sent = [answer["prediction_id"] for _ in range(50) for answer in ask(api, SETOSA_ROW)]
        wait_for("a lag", lambda: counted(api, "prediction_log_lag_seconds") > GATHER_SECONDS * 3)
        with store._database.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE away RENAME TO predictions")
        wait_for("all rows", lambda: log_size(store) == len(sent))
        assert [row["id"] for row in logged(store)] == sent
        assert counted(api, "prediction_log_dropped_total") == 0
        assert counted(api, "prediction_log_rows_total") == len(sent)


@pytest.mark.usefixtures("no_spool")
def test_rows_that_are_answered_while_postgresql_is_away_are_written_when_it_is_back(
    with_copy: Settings, postgres: Postgres, postgres_url: str
) -> None:
    settings = with_copy.model_copy(update={"database_url": postgres_url})
    with running_api(settings) as api:
        (known,) = ask(api, SETOSA_ROW)
        truth = {"prediction_id": known["prediction_id"], "class_name": "Iris-setosa"}
        assert api.post("/feedback", json=truth).status_code == 200
        with postgres.stopped():
            sent = [answer["prediction_id"] for _ in range(50) for answer in ask(api, SETOSA_ROW)]
            wait_for("a lag", lambda: counted(api, "prediction_log_lag_seconds") > GATHER_SECONDS * 3)
            check_problem(api.post("/feedback", json=truth), 503)
            check_problem(api.get("/models"), 503)
            assert api.get("/readyz").status_code == 200
        with store_of(settings) as store:
            wait_for("all rows", lambda: log_size(store) == len(sent) + 1)
            assert [row["id"] for row in logged(store)] == [known["prediction_id"], *sent]
        assert counted(api, "prediction_log_dropped_total") == 0
        assert api.post("/feedback", json={**truth, "prediction_id": sent[0]}).status_code == 200


def test_a_row_that_the_database_never_takes_is_dropped_and_counted_and_those_behind_it_are_written(
    on_either: Settings,
) -> None:
    with running_api(on_either) as api, store_of(on_either) as store:
        with store._database.writing() as connection:
            for statement in refusing(on_either):
                connection.exec_driver_sql(statement)
        with ThreadPoolExecutor(8) as pool:
            lengths = [7.7 if number % 10 == 0 else 1.4 for number in range(100)]
            answers = list(pool.map(lambda length: ask(api, [5.1, 3.5, length, 0.2]), lengths))
        good = {a["prediction_id"] for (a,), length in zip(answers, lengths, strict=True) if length == 1.4}
        wait_for("an empty queue", lambda: counted(api, "prediction_log_waiting_rows") == 0)
        assert {row["id"] for row in logged(store)} == good
        assert counted(api, "prediction_log_dropped_total") == 10


def refusing(settings: Settings) -> list[str]:
    """Return the statements that make the database refuse petals of 7.7 cm."""
    if settings.database_url.startswith("sqlite"):
        when = "json_extract(NEW.features, '$.petal_length') = 7.7"
        return [f"CREATE TRIGGER no BEFORE INSERT ON predictions WHEN {when} BEGIN SELECT RAISE(ABORT, 'no'); END"]
    return ["ALTER TABLE predictions ADD CHECK (features ->> 'petal_length' <> '7.7')"]


def test_two_processes_on_one_database_lose_and_double_nothing(on_either: Settings) -> None:
    check_processes(on_either, 2)


def test_eight_processes_on_one_database_lose_and_double_nothing(with_copy: Settings) -> None:
    check_processes(with_copy, 8)


def check_processes(settings: Settings, count: int) -> None:
    """Let some processes answer at once, each some rows and the truth about them."""
    with ExitStack() as stack:
        urls = [stack.enter_context(servers.api_process(settings))[0] for _ in range(count)]
        pool = stack.enter_context(ThreadPoolExecutor(count))
        ids = [one for some in pool.map(use, urls) for one in some]
    with store_of(settings) as store:
        assert sorted(row["id"] for row in logged(store)) == sorted(ids)
        assert told(store) == dict.fromkeys(ids[::2], "Iris-setosa")
        (live,) = store.statistics.live("iris", "IrisModel")
    assert live.predictions == len(ids)
    assert sum(each.labels for each in live.labels) == len(ids[::2])


def use(url: str) -> list[str]:
    """Predict 50 rows one by one, and send the truth about every other; return their ids."""
    ids = []
    with httpx.Client(base_url=url, timeout=30.0) as api:
        for number in range(50):
            (answer,) = ask(api, SETOSA_ROW)
            ids.append(answer["prediction_id"])
            if number % 2 == 0:
                truth = {"prediction_id": ids[-1], "class_name": "Iris-setosa"}
                assert api.post("/feedback", json=truth).status_code == 200
    return ids


def test_a_row_unlike_the_training_data_is_an_outlier_and_no_test_row_is(with_copy: Settings) -> None:
    rows = read_table(with_copy.data_dir / "test.csv", IRIS, indices=True).X.tolist()
    with running_api(with_copy) as api, store_of(with_copy) as store:
        strange, *usual = ask(api, [1, 2, 3, 4], *rows)
        assert strange["is_outlier"] is True
        assert [answer["is_outlier"] for answer in usual] == [False] * len(rows)
        assert strange["outlier_score"] < min(answer["outlier_score"] for answer in usual)
        assert api.post("/predict", json=dict(zip(SETOSA, [1, 2, 3, 4], strict=True))).json()["is_outlier"] is True
        assert counted(api, "predicted_outliers_total") == 2
        wait_for("all rows", lambda: log_size(store) == len(rows) + 2)
        (live,) = store.statistics.live("iris", "IrisModel")
        assert live.outliers == 2


def test_a_model_without_probabilities_and_scores_says_so_in_answer_and_log(offline: Settings) -> None:
    keep_copy(offline, by_hand(2.5, 4.8))
    with running_api(offline) as api, store_of(offline) as store:
        answers = ask(api, [5.1, 3.5, 1.4, 0.2], [5.7, 2.8, 4.1, 1.3], [1, 2, 30, 4])
        assert [answer["class_name"] for answer in answers] == list(CLASSES)
        assert counted(api, "predicted_outliers_total") == 0
        wait_for("all rows", lambda: log_size(store) == 3)
        rows = logged(store)
    for name in ("probabilities", "is_outlier", "outlier_score"):
        assert {answer[name] for answer in answers} == {row[name] for row in rows} == {None}
    assert {row["confidence"] for row in rows} == {None}

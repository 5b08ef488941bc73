"""The truth about predictions: kept for good before it is acknowledged, counted once, whenever it comes."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import uuid_utils.compat as uuid_utils

from api.corrections.ground_truth import BEHIND, is_fresh
from api.inference import row_queue
from common.settings import Settings
from common.store import Store
from common.store.predictions import PredictionRow
from common.store.suggestions import Suggestion
from scripts.parts import stop, wait_for
from tests import servers
from tests.api.inference.test_prediction_log import (
    CLASSES,
    SETOSA,
    SETOSA_ROW,
    ask,
    counted,
    logged,
    store_of,
    told,
    write_lock,
)
from tests.api.routes.test_bad_requests import check_problem
from tests.conftest import KEPT, running_api


@pytest.fixture
def api(on_either: Settings) -> Iterator[httpx.Client]:
    with running_api(on_either) as client:
        yield client


@pytest.fixture
def store(on_either: Settings) -> Iterator[Store]:
    with store_of(on_either) as opened:
        yield opened


def predict(api: httpx.Client) -> str:
    """Return the id of a new prediction, which is Iris-setosa."""
    ((answer),) = ask(api, SETOSA_ROW)
    assert answer["class_name"] == "Iris-setosa"
    return str(answer["prediction_id"])


def tell(api: httpx.Client, prediction_id: object, class_name: str, **more: Any) -> httpx.Response:
    return api.post("/feedback", json={"prediction_id": f"{prediction_id}", "class_name": class_name, **more})


def cells(store: Store) -> dict[tuple[str, str], int]:
    """Return the labels of the champion by true and predicted class, without the empty cells."""
    (live,) = store.statistics.live("iris", "IrisModel")
    return {(cell.true_class, cell.predicted_class): cell.labels for cell in live.labels}


def past_row(moment: datetime, **changes: Any) -> PredictionRow:
    """Return a row that was logged at some moment."""
    row: dict[str, Any] = {
        "id": str(uuid_utils.uuid7()),
        "role": "champion",
        "problem": "iris",
        "model_name": "IrisModel",
        "model_version": KEPT,
        "predicted_at": moment,
        "features": SETOSA,
        "class_name": "Iris-setosa",
        "probabilities": None,
        "confidence": None,
        "is_outlier": None,
        "outlier_score": None,
    }
    return PredictionRow(**{**row, **changes})  # type: ignore[typeddict-item]


def test_the_truth_is_kept_and_counted(api: httpx.Client, store: Store) -> None:
    prediction_id = predict(api)
    answer = tell(api, prediction_id, "Iris-virginica")
    assert answer.status_code == 200
    assert answer.json() == {"prediction_id": prediction_id, "class_name": "Iris-virginica"}
    assert told(store) == {prediction_id: "Iris-virginica"}
    assert cells(store) == {("Iris-virginica", "Iris-setosa"): 1}


def test_acknowledged_truths_survive_the_end_of_the_process(on_either: Settings) -> None:
    acknowledged = {}
    with servers.api_process(on_either) as (url, process), httpx.Client(base_url=url) as api:
        for number in range(20):
            prediction_id = predict(api)
            assert tell(api, prediction_id, CLASSES[number % 3]).status_code == 200
            acknowledged[prediction_id] = CLASSES[number % 3]
        stop(process, signal.SIGKILL)
    with store_of(on_either) as store:
        assert told(store) == acknowledged
        assert {row["id"] for row in logged(store)} == set(acknowledged)


def test_the_same_truth_again_changes_nothing(api: httpx.Client, store: Store) -> None:
    prediction_id = predict(api)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: tell(api, prediction_id, "Iris-setosa").status_code, range(8)))
    assert answers == [200] * 8
    assert tell(api, prediction_id, "Iris-setosa", replace=True).status_code == 200
    assert cells(store) == {("Iris-setosa", "Iris-setosa"): 1}


def test_another_truth_is_a_conflict_unless_it_is_to_replace_the_first(api: httpx.Client, store: Store) -> None:
    prediction_id = predict(api)
    tell(api, prediction_id, "Iris-setosa")
    conflict = tell(api, prediction_id, "Iris-virginica")
    check_problem(conflict, 409)
    assert prediction_id in conflict.json()["detail"]
    assert "Iris-setosa" in conflict.json()["detail"]
    assert "replace" in conflict.json()["detail"]
    assert cells(store) == {("Iris-setosa", "Iris-setosa"): 1}
    assert tell(api, prediction_id, "Iris-virginica", replace=True).status_code == 200
    assert told(store) == {prediction_id: "Iris-virginica"}
    assert cells(store) == {("Iris-virginica", "Iris-setosa"): 1}


def test_of_two_truths_at_once_one_is_taken_and_the_other_is_a_conflict(api: httpx.Client, store: Store) -> None:
    for _ in range(10):
        prediction_id = predict(api)
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda name: tell(api, prediction_id, name).status_code, CLASSES[:2]))  # noqa: B023
        assert sorted(answers) == [200, 409]
        assert told(store)[prediction_id] == CLASSES[answers.index(200)]


def test_an_id_that_is_no_uuid7_is_unknown_at_once(api: httpx.Client, store: Store) -> None:
    asked = time.monotonic()
    check_problem(tell(api, uuid4(), "Iris-setosa"), 404)
    assert time.monotonic() - asked < BEHIND.total_seconds() / 2
    assert told(store) == {}


def test_an_id_of_this_moment_is_looked_for_a_little_longer(api: httpx.Client, store: Store) -> None:
    asked = time.monotonic()
    unknown = uuid_utils.uuid7()
    check_problem(tell(api, unknown, "Iris-setosa"), 404)
    assert BEHIND.total_seconds() / 2 < time.monotonic() - asked < BEHIND.total_seconds() + 2
    assert told(store) == {}
    check_problem(api.get(f"/predictions/{unknown}"), 404)


@pytest.mark.parametrize(
    "changes",
    [
        {"class_name": "Iris-unknown"},
        {"class_name": ""},
        {"class_name": 0},
        {"class_name": None},
        {"prediction_id": "seven"},
        {"prediction_id": None},
        {"replace": "perhaps"},
        {"colour": "blue"},
    ],
)
def test_a_bad_truth_is_refused_by_the_name_of_its_field(lone_api: httpx.Client, changes: dict[str, Any]) -> None:
    response = lone_api.post("/feedback", json={"prediction_id": str(uuid4()), "class_name": CLASSES[0], **changes})
    check_problem(response, 422)
    (error,) = response.json()["errors"]
    assert error["field"] == next(iter(changes))


def test_an_unknown_class_is_refused_with_the_known_ones(api: httpx.Client, store: Store) -> None:
    refused = tell(api, predict(api), "Iris-unknown")
    check_problem(refused, 422)
    for name in CLASSES:
        assert name in refused.json()["detail"]
    assert told(store) == {}


@pytest.mark.parametrize("clients", [1, 8])
def test_the_truth_is_taken_the_moment_the_prediction_is_answered(
    api: httpx.Client, store: Store, clients: int
) -> None:
    def predict_and_tell(_: int) -> str:
        prediction_id = predict(api)
        assert tell(api, prediction_id, "Iris-versicolor").status_code == 200
        return prediction_id

    with ThreadPoolExecutor(clients) as pool:
        ids = list(pool.map(predict_and_tell, range(150)))
    assert told(store) == dict.fromkeys(ids, "Iris-versicolor")
    assert cells(store) == {("Iris-versicolor", "Iris-setosa"): 150}


def test_the_truth_is_taken_at_once_by_another_api_than_has_answered(
    api: httpx.Client, on_either: Settings, store: Store
) -> None:
    ids = []
    with running_api(on_either) as other:
        for _ in range(30):
            ids.append(predict(api))
            assert tell(other, ids[-1], "Iris-setosa").status_code == 200
    assert told(store) == dict.fromkeys(ids, "Iris-setosa")


def test_the_truth_is_taken_days_later(api: httpx.Client, store: Store) -> None:
    row = past_row(datetime.now(UTC) - timedelta(days=40), id=str(uuid4()))
    store.predictions.write([row])
    assert tell(api, row["id"], "Iris-virginica").status_code == 200
    assert cells(store) == {("Iris-virginica", "Iris-setosa"): 1}


def test_while_the_log_cannot_be_written_the_truth_is_not_acknowledged_and_predictions_go_on(
    with_copy: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.store.database.BUSY_TIMEOUT_MS", 500)
    with running_api(with_copy) as api, store_of(with_copy) as store:
        with write_lock(with_copy):
            prediction_id = predict(api)
            check_problem(tell(api, prediction_id, "Iris-setosa"), 503)
            assert predict(api)
        wait_for("an empty queue", lambda: counted(api, "prediction_log_waiting_rows") == 0)
        assert told(store) == {}
        assert tell(api, prediction_id, "Iris-setosa").status_code == 200


def test_the_truth_waits_for_a_log_that_is_a_little_behind(
    with_copy: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_queue, "GATHER_SECONDS", 30.0)
    with running_api(with_copy) as api, store_of(with_copy) as store:
        prediction_id = predict(api)
        assert logged(store) == []
        assert tell(api, prediction_id, "Iris-setosa").status_code == 200
        assert told(store) == {prediction_id: "Iris-setosa"}


def test_a_correction_of_a_prediction_is_its_truth_too(api: httpx.Client, store: Store) -> None:
    prediction_id = predict(api)
    sent = {**SETOSA, "class_name": "Iris-virginica", "prediction_id": prediction_id}
    assert api.post("/suggest", json=sent).status_code == 202
    assert told(store) == {prediction_id: "Iris-virginica"}
    assert cells(store) == {("Iris-virginica", "Iris-setosa"): 1}
    check_problem(tell(api, prediction_id, "Iris-setosa"), 409)


@pytest.mark.parametrize("status", [404, 409])
def test_a_correction_whose_truth_is_not_taken_is_not_kept(api: httpx.Client, store: Store, status: int) -> None:
    prediction_id = predict(api)
    tell(api, prediction_id, "Iris-setosa")
    corrects = prediction_id if status == 409 else str(uuid4())
    sent = {**SETOSA, "class_name": "Iris-virginica", "prediction_id": corrects}
    check_problem(api.post("/suggest", json=sent), status)
    assert store.suggestions.due("iris", datetime.now(UTC), 10) == []
    assert told(store) == {prediction_id: "Iris-setosa"}


def test_a_correction_may_replace_the_truth(api: httpx.Client, store: Store) -> None:
    prediction_id = predict(api)
    tell(api, prediction_id, "Iris-setosa")
    sent = {**SETOSA, "class_name": "Iris-virginica", "prediction_id": prediction_id, "replace": True}
    suggestion_id = api.post("/suggest", json=sent).json()["suggestion_id"]
    suggestion = store.suggestions.get(suggestion_id)
    assert suggestion is not None
    assert suggestion.prediction_id == prediction_id
    assert cells(store) == {("Iris-virginica", "Iris-setosa"): 1}


def test_a_prediction_is_remembered_with_its_truth_and_the_version_that_has_learnt_from_it(
    api: httpx.Client, store: Store
) -> None:
    ((answer),) = ask(api, SETOSA_ROW)
    prediction_id = answer["prediction_id"]
    found = wait_for("the row", lambda: api.get(f"/predictions/{prediction_id}").raise_for_status().json())
    (before,) = found
    assert {name: before[name] for name in answer} == answer
    assert (before["role"], before["features"], before["exported"]) == ("champion", SETOSA, False)
    assert datetime.now(UTC) - datetime.fromisoformat(before["predicted_at"]) < timedelta(seconds=60)
    assert (before["truth"], before["trained_version"]) == (None, None)
    tell(api, prediction_id, "Iris-virginica")
    suggestion = Suggestion(str(uuid4()), "iris", SETOSA, "Iris-virginica", prediction_id)
    store.suggestions.add(suggestion)
    store.suggestions.trained([suggestion.id], 9)
    (after,) = api.get(f"/predictions/{prediction_id}").json()
    assert after == {**before, "truth": "Iris-virginica", "trained_version": 9}


def test_an_unknown_prediction_is_not_remembered(lone_api: httpx.Client) -> None:
    check_problem(lone_api.get(f"/predictions/{uuid4()}"), 404)
    check_problem(lone_api.get("/predictions/seven"), 422)


def id_of(moment: float) -> UUID:
    """Return a UUIDv7 made at a moment, in seconds since 1970."""
    return UUID(int=int(moment * 1e3) << 80 | 0x7 << 76 | 0x2 << 62 | uuid4().int & 0xFFFFFFFF)


@pytest.mark.parametrize(
    ("seconds", "fresh"), [(0, True), (-1, True), (-3, False), (1, True), (3, False), (-86400, False), (86400, False)]
)
def test_only_an_id_of_about_now_is_waited_for_wherever_the_clock_has_stepped(seconds: float, *, fresh: bool) -> None:
    assert is_fresh(id_of(time.time() + seconds)) == fresh


def test_ids_without_a_moment_are_never_waited_for() -> None:
    now = id_of(time.time())
    as_version_4 = UUID(int=now.int & ~(0xF << 76) | 0x4 << 76)
    assert is_fresh(now)
    assert not any(map(is_fresh, (as_version_4, uuid4(), UUID(int=0), UUID(int=2**128 - 1))))


def test_the_truth_of_a_prediction_from_before_the_clock_stepped_back_is_taken(api: httpx.Client, store: Store) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    row = past_row(tomorrow, id=str(id_of(tomorrow.timestamp())))
    store.predictions.write([row])
    assert tell(api, row["id"], "Iris-setosa").status_code == 200
    asked = time.monotonic()
    check_problem(tell(api, id_of(tomorrow.timestamp()), "Iris-setosa"), 404)
    assert time.monotonic() - asked < BEHIND.total_seconds() / 2

"""The challenger answers the same rows in the champion's shadow, and costs no request anything."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import mlflow
import pytest

from api.challenger import shadow
from api.disk_copy import DiskCopy
from common.bundle.model import Answer, Floats32, OnnxModel
from common.problem import get_problem
from common.registry.client import Version
from common.settings import Settings
from common.store import Store
from common.store.statistics import LiveCounts, Paired, Span
from scripts.parts import free_port, wait_for
from tests.api.inference.test_prediction_log import (
    BATCH,
    CLASSES,
    SETOSA,
    SETOSA_ROW,
    ask,
    by_hand,
    counted,
    log_size,
    logged,
    store_of,
)
from tests.api.metrics.test_declared import samples
from tests.api.routes.test_feedback import tell
from tests.conftest import IRIS, KEPT, register_onnx, running_api, set_alias

CHALLENGER = 8
ALWAYS_VIRGINICA = by_hand(-1, -1)


def keep_challenger(
    settings: Settings, content: bytes, number: int = CHALLENGER, source: str = "models:/m-challenger"
) -> None:
    """Leave a challenger on disk, as an api does that has had one."""
    name = get_problem(settings.problem).onnx_name
    kept = DiskCopy(settings.state_dir / "served" / name / "shadow")
    kept.write(Version(name, number, source, {}), content)


def serving(api: httpx.Client) -> dict[str, float]:
    """Return the number of the version that is served, by role."""
    return {dict(labels)["role"]: value for labels, value in samples(api, "served_model_version").items()}


def remembered(api: httpx.Client, prediction_id: str, count: int = 2) -> list[dict[str, Any]]:
    """Return the rows of a prediction when there are so many: the champion's, and the challenger's."""

    def look() -> list[dict[str, Any]] | None:
        found = api.get(f"/predictions/{prediction_id}")
        return found.json() if found.is_success and len(found.json()) == count else None

    return wait_for(f"{count} rows", look)


def live(store: Store) -> dict[str, LiveCounts]:
    return {each.role: each for each in store.statistics.live("iris", "IrisModel")}


def labels_of(counts: LiveCounts) -> dict[tuple[str, str], int]:
    """Return the labels by true and predicted class."""
    return {(each.true_class, each.predicted_class): each.labels for each in counts.labels}


def roles(store: Store) -> dict[str, set[str]]:
    """Return the ids of the rows by role."""
    rows = logged(store)
    return {role: {row["id"] for row in rows if row["role"] == role} for role in ("champion", "shadow")}


@pytest.fixture
def api(on_either: Settings) -> Iterator[httpx.Client]:
    """An api whose challenger says of everything that it is Iris-virginica."""
    keep_challenger(on_either, ALWAYS_VIRGINICA)
    with running_api(on_either) as client:
        yield client


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """An event that lets the challenger go on; until then it does not return from its rows."""
    let_go = threading.Event()
    predict = OnnxModel.predict

    def slow(self: OnnxModel, X: Floats32) -> Answer:
        if threading.current_thread().name == "ask the challenger":
            let_go.wait(60)
        return predict(self, X)

    monkeypatch.setattr(OnnxModel, "predict", slow)
    yield let_go
    let_go.set()


def test_the_answer_is_the_champions_and_both_are_logged_under_its_id(api: httpx.Client) -> None:
    answer = api.post("/predict", json=SETOSA).json()
    assert (answer["class_name"], answer["model_version"]) == ("Iris-setosa", KEPT)
    champion, challenger = remembered(api, answer["prediction_id"])
    assert {name: champion[name] for name in answer} == answer
    assert (champion["role"], challenger["role"]) == ("champion", "shadow")
    assert (challenger["model_version"], challenger["class_name"]) == (CHALLENGER, "Iris-virginica")
    for name in ("probabilities", "confidence", "is_outlier", "outlier_score"):
        assert challenger[name] is None
    for name in ("prediction_id", "features", "predicted_at", "model_name"):
        assert challenger[name] == champion[name]


def test_every_row_of_a_batch_has_its_shadow_in_its_place(on_either: Settings) -> None:
    keep_challenger(on_either, by_hand(2.5, 4.8))
    rows = [[5.1, 3.5, length / 10, 0.2] for length in range(70)]
    with running_api(on_either) as api:
        ids = [answer["prediction_id"] for start in range(0, 70, 7) for answer in ask(api, *rows[start : start + 7])]
    with store_of(on_either) as store:
        found = {row["id"]: row for row in logged(store) if row["role"] == "shadow"}
    assert list(found) == ids
    for prediction_id, row in zip(ids, rows, strict=True):
        assert list(found[prediction_id]["features"].values()) == row
        assert found[prediction_id]["class_name"] == CLASSES[(row[2] > 2.5) + (row[2] > 4.8)]


def test_one_truth_judges_both(api: httpx.Client, on_either: Settings) -> None:
    ids = [answer["prediction_id"] for answer in ask(api, SETOSA_ROW, SETOSA_ROW, SETOSA_ROW)]
    for prediction_id, truth in zip(ids, CLASSES, strict=True):
        remembered(api, prediction_id)
        assert tell(api, prediction_id, truth).status_code == 200
    check_counts(on_either)


def test_a_truth_that_comes_before_the_challengers_answer_judges_both(
    on_either: Settings, held: threading.Event
) -> None:
    keep_challenger(on_either, ALWAYS_VIRGINICA)
    with running_api(on_either) as api:
        ids = [answer["prediction_id"] for answer in ask(api, SETOSA_ROW, SETOSA_ROW, SETOSA_ROW)]
        for prediction_id, truth in zip(ids, CLASSES, strict=True):
            assert tell(api, prediction_id, truth).status_code == 200
        with store_of(on_either) as store:
            assert roles(store) == {"champion": set(ids), "shadow": set()}
        held.set()
        for prediction_id in ids:
            remembered(api, prediction_id)
    check_counts(on_either)


def check_counts(settings: Settings) -> None:
    """See that one row of each true class is judged, which the champion calls setosa and the challenger virginica."""
    with store_of(settings) as store:
        found = live(store)
        assert labels_of(found["champion"]) == {(truth, "Iris-setosa"): 1 for truth in CLASSES}
        assert labels_of(found["shadow"]) == {(truth, "Iris-virginica"): 1 for truth in CLASSES}
        assert {role: each.predictions for role, each in found.items()} == {"champion": 3, "shadow": 3}
        assert store.statistics.paired(Span("iris", "IrisModel"), KEPT, CHALLENGER) == Paired(0, 1, 1, 1)


def test_samples_are_not_shown_to_the_challenger(api: httpx.Client, on_either: Settings) -> None:
    assert api.get("/predict/test").is_success
    ((answer),) = ask(api, SETOSA_ROW)
    remembered(api, answer["prediction_id"])
    assert counted(api, "shadow_predictions_total") == 1
    with store_of(on_either) as store:
        assert log_size(store) == 2


def test_rows_that_the_challenger_fails_on_are_counted_and_the_others_are_scored(with_copy: Settings) -> None:
    keep_challenger(with_copy, by_hand(2.5, 4.8, unfit_above=20))
    with running_api(with_copy) as api, ThreadPoolExecutor(8) as pool:
        lengths = [25.0 if number % 10 == 0 else 5.1 for number in range(60)]
        answers = list(pool.map(lambda length: ask(api, [length, 3.5, 1.4, 0.2]), lengths))
        two = ask(api, SETOSA_ROW, [25.0, 3.5, 1.4, 0.2])
        ids = [answer["prediction_id"] for (answer,) in answers]
        good = {one for one, length in zip(ids, lengths, strict=True) if length == 5.1}
        wait_for("all rows", lambda: counted(api, "shadow_failures_total") == len(ids) - len(good) + 2)
        assert counted(api, "shadow_predictions_total") == len(good)
        assert counted(api, "shadow_dropped_total") == 0
    with store_of(with_copy) as store:
        assert roles(store) == {"champion": {*ids, *(answer["prediction_id"] for answer in two)}, "shadow": good}


def test_a_challenger_whose_answer_is_no_class_costs_the_champion_no_row(with_copy: Settings) -> None:
    keep_challenger(with_copy, by_hand(2.5, 4.8, 20))
    with running_api(with_copy) as api:
        lengths = [25.0 if number % 10 == 0 else 1.4 for number in range(60)]
        ids = [answer["prediction_id"] for length in lengths for answer in ask(api, [5.1, 3.5, length, 0.2])]
        failed = ("shadow_failures_total", "prediction_log_dropped_total")
        wait_for("six failures", lambda: sum(counted(api, name) for name in failed) == 6)
    with store_of(with_copy) as store:
        good = {one for one, length in zip(ids, lengths, strict=True) if length == 1.4}
        assert roles(store) == {"champion": set(ids), "shadow": good}


def test_a_challenger_that_is_too_slow_loses_rows_which_are_counted_and_the_champion_none(
    with_copy: Settings, held: threading.Event
) -> None:
    keep_challenger(with_copy, ALWAYS_VIRGINICA)
    with running_api(with_copy) as api, store_of(with_copy) as store:
        for number in range(1, 4):
            assert len(ask(api, *[SETOSA_ROW] * BATCH)) == BATCH
            wait_for("the champion's rows", lambda number=number: log_size(store) == number * BATCH)  # type: ignore[misc]
        assert counted(api, "shadow_dropped_total") == 3 * BATCH - shadow.MAX_WAITING_ROWS
        held.set()
        wait_for("its rows", lambda: counted(api, "shadow_predictions_total") == shadow.MAX_WAITING_ROWS)
        wait_for("all rows", lambda: log_size(store) == 3 * BATCH + shadow.MAX_WAITING_ROWS)
        assert counted(api, "prediction_log_dropped_total") == 0


def test_a_challenger_that_never_returns_does_not_keep_the_service_from_ending(
    with_copy: Settings, held: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not held.is_set()
    monkeypatch.setattr(shadow, "STOP_SECONDS", 0.5)
    keep_challenger(with_copy, ALWAYS_VIRGINICA)
    with ExitStack() as stack:
        api = stack.enter_context(running_api(with_copy))
        answers = ask(api, SETOSA_ROW, SETOSA_ROW)
        stopping = time.monotonic()
        stack.close()
        assert time.monotonic() - stopping < 10
    with store_of(with_copy) as store:
        assert roles(store) == {"champion": {answer["prediction_id"] for answer in answers}, "shadow": set()}


def test_the_champion_is_not_its_own_challenger(with_copy: Settings) -> None:
    keep_challenger(with_copy, ALWAYS_VIRGINICA, KEPT, "models:/m-kept")
    with running_api(with_copy) as api:
        assert serving(api) == {"champion": KEPT, "shadow": KEPT}
        answers = ask(api, SETOSA_ROW, SETOSA_ROW)
    with store_of(with_copy) as store:
        assert roles(store) == {"champion": {answer["prediction_id"] for answer in answers}, "shadow": set()}


def test_the_alias_in_mlflow_makes_a_challenger_and_its_end_ends_it(settings: Settings) -> None:
    for _ in range(2):
        register_onnx(settings, ALWAYS_VIRGINICA)
    client = mlflow.MlflowClient(settings.mlflow_uri)
    client.set_registered_model_alias(IRIS.onnx_name, "champion", "1")
    with running_api(settings) as api:
        wait_for("the champion", lambda: serving(api) == {"champion": 1})
        (before,) = ask(api, SETOSA_ROW)
        set_alias(settings, "challenger", 2)
        wait_for("the challenger", lambda: serving(api) == {"champion": 1, "shadow": 2})
        (meanwhile,) = ask(api, SETOSA_ROW)
        remembered(api, meanwhile["prediction_id"])
        client.delete_registered_model_alias(IRIS.onnx_name, "challenger")
        wait_for("its end", lambda: serving(api) == {"champion": 1})
        (after,) = ask(api, SETOSA_ROW)
    with store_of(settings) as store:
        ids = [answer["prediction_id"] for answer in (before, meanwhile, after)]
        assert roles(store) == {"champion": set(ids), "shadow": {ids[1]}}
    with running_api(settings.model_copy(update={"mlflow_uri": f"http://127.0.0.1:{free_port()}"})) as api:
        assert serving(api) == {"champion": 1}


def test_a_challenger_is_kept_over_a_restart_while_mlflow_is_away(settings: Settings) -> None:
    for _ in range(2):
        register_onnx(settings, ALWAYS_VIRGINICA)
    set_alias(settings, "champion", 1)
    set_alias(settings, "challenger", 2)
    with running_api(settings) as api:
        wait_for("both", lambda: serving(api) == {"champion": 1, "shadow": 2})
    with running_api(settings.model_copy(update={"mlflow_uri": f"http://127.0.0.1:{free_port()}"})) as api:
        assert serving(api) == {"champion": 1, "shadow": 2}
        (answer,) = ask(api, SETOSA_ROW)
        champion, challenger = remembered(api, answer["prediction_id"])
    assert (champion["model_version"], challenger["model_version"]) == (1, 2)


def test_a_challenger_that_cannot_be_served_is_not_taken_and_the_champion_answers(settings: Settings) -> None:
    register_onnx(settings, ALWAYS_VIRGINICA)
    register_onnx(settings, b"garbage")
    set_alias(settings, "champion", 1)
    set_alias(settings, "challenger", 2)
    with running_api(settings) as api:
        wait_for("a failure", lambda: counted(api, "model_reload_failures_total") > 0)
        wait_for("the champion", lambda: serving(api) == {"champion": 1})
        assert len(ask(api, SETOSA_ROW)) == 1

"""An api that is killed, or whose disk is full, keeps everything that it has acknowledged, and nothing half-written."""

import itertools
import resource
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from api.inference.prediction_log import MAX_WAITING_ROWS
from common.settings import Settings
from common.store import Store
from common.store.tables import confusion_counts, paired_counts, prediction_counts
from scripts.parts import stop, wait_for
from tests import servers
from tests.api.challenger.test_shadow import keep_challenger
from tests.api.inference.test_prediction_log import (
    CLASSES,
    SETOSA,
    SETOSA_ROW,
    ask,
    by_hand,
    counted,
    logged,
    store_of,
    told,
)
from tests.api.routes.test_bad_requests import check_problem

BEHIND = 0.25
ROWS = ([5.1, 3.5, 1.4, 0.2], [5.7, 2.8, 4.1, 1.3], [6.3, 3.3, 6.0, 2.5], [1.0, 2.0, 3.0, 4.0])


@dataclass
class Acknowledged:
    """The predictions, feedback and corrections that an api has acknowledged."""

    predictions: dict[str, float] = field(default_factory=dict)  # when it was answered, by id
    truths: dict[str, str] = field(default_factory=dict)
    suggestions: list[str] = field(default_factory=list)


Use = Callable[[httpx.Client, int, Acknowledged], None]


def use_until_it_ends(url: str, use: Use, seen: Acknowledged) -> None:
    """Use an api until nobody answers."""
    with httpx.Client(base_url=url, timeout=30.0) as api, suppress(httpx.TransportError):
        for number in itertools.count():
            use(api, number, seen)


def predict_once(api: httpx.Client, number: int, seen: Acknowledged) -> list[str]:
    """Predict three rows; return their ids."""
    rows = [ROWS[(number + place) % len(ROWS)] for place in range(3)]
    ids = [answer["prediction_id"] for answer in ask(api, *rows)]
    seen.predictions |= dict.fromkeys(ids, time.monotonic())
    return ids


def only_predict(api: httpx.Client, number: int, seen: Acknowledged) -> None:
    predict_once(api, number, seen)


def predict_label_and_correct(api: httpx.Client, number: int, seen: Acknowledged) -> None:
    """Predict three rows, and for some of them send feedback or a correction."""
    labelled, corrected, _ = predict_once(api, number, seen)
    if number % 4 == 0:
        truth = CLASSES[number % 3]
        api.post("/feedback", json={"prediction_id": labelled, "class_name": truth}).raise_for_status()
        seen.truths[labelled] = truth
    if number % 5 == 0:
        sent = {**SETOSA, "class_name": "Iris-setosa", "prediction_id": corrected}
        seen.suggestions.append(api.post("/suggest", json=sent).raise_for_status().json()["suggestion_id"])
        seen.truths[corrected] = "Iris-setosa"


def kill_under_load(settings: Settings, use: Use, requests: int) -> tuple[list[Acknowledged], float]:
    """Kill an api while three clients use it, after so many requests; return the answers of each, and the moment."""
    with servers.api_process(settings) as (url, process), ThreadPoolExecutor(3) as pool:
        seen = [Acknowledged() for _ in range(3)]
        uses = [pool.submit(use_until_it_ends, url, use, each) for each in seen]
        wait_for("that many", lambda: min(len(each.predictions) for each in seen) > 3 * requests, every=0.003)
        killed = time.monotonic()
        stop(process, signal.SIGKILL)
        for ended in uses:
            ended.result()
    return seen, killed


def check_whole(store: Store) -> None:
    """See that no row is written by halves, and that every roll-up says what a recount says."""
    rows, truths = logged(store), told(store)
    required = ("id", "role", "problem", "model_name", "model_version", "predicted_at", "features", "class_name")
    assert all(row[name] is not None for row in rows for name in required)
    assert all(len(row["features"]) == len(SETOSA) for row in rows)
    volumes: Counter[Any] = Counter()
    cells: Counter[Any] = Counter()
    pairs: Counter[Any] = Counter()
    by_id: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        key = (row["model_version"], row["role"], row["predicted_at"].date())
        volumes[*key, row["class_name"]] += 1
        by_id.setdefault(row["id"], {})[row["role"]] = row
        if truth := truths.get(row["id"]):
            cells[*key, truth, row["class_name"]] += 1
    for one, both in by_id.items():
        if one in truths and len(both) == 2:
            right = [both[role]["class_name"] == truths[one] for role in ("champion", "shadow")]
            pairs[both["champion"]["predicted_at"].date(), *right] += 1
    kept = ("model_version", "role", "day")
    assert rolled_up(store, prediction_counts, "predictions", *kept, "class_name") == volumes
    assert rolled_up(store, confusion_counts, "labels", *kept, "true_class", "predicted_class") == cells
    assert rolled_up(store, paired_counts, "labels", "day", "champion_right", "challenger_right") == pairs
    assert truths.keys() <= by_id.keys()


def rolled_up(store: Store, table: sa.Table, counts: str, *key: str) -> dict[tuple[Any, ...], int]:
    found = store._database.read(sa.select(table))
    return {tuple(row[name] for name in key): row[counts] for row in found if row[counts]}


def test_a_kill_under_load_loses_nothing_acknowledged(on_either: Settings) -> None:
    keep_challenger(on_either, by_hand(2.5, 4.8))
    for requests in (60, 21):
        seen, killed = kill_under_load(on_either, predict_label_and_correct, requests)
        with store_of(on_either) as store:
            check_acknowledged(store, seen, killed)
            check_whole(store)


def test_a_kill_costs_the_log_its_last_moment_at_most(on_either: Settings) -> None:
    for requests in (200, 77):
        seen, killed = kill_under_load(on_either, only_predict, requests)
        with store_of(on_either) as store:
            check_acknowledged(store, seen, killed)
            check_whole(store)


def check_acknowledged(store: Store, seen: list[Acknowledged], killed: float) -> None:
    there, truths = {row["id"] for row in logged(store)}, told(store)
    for each in seen:
        assert each.truths.items() <= truths.items()
        assert all(store.suggestions.get(one) for one in each.suggestions)
        missing = each.predictions.keys() - there
        assert all(killed - each.predictions[one] < BEHIND for one in missing)
        assert len(missing) < len(each.predictions)


def test_the_next_process_works_on_with_all_that_was_acknowledged(on_either: Settings) -> None:
    seen, _ = kill_under_load(on_either, predict_label_and_correct, 30)
    with servers.api_process(on_either) as (url, _), httpx.Client(base_url=url, timeout=30.0) as api:
        for each in seen:
            for prediction_id, truth in each.truths.items():
                (row,) = api.get(f"/predictions/{prediction_id}").json()
                assert row["truth"] == truth
            for one in each.suggestions:
                assert api.get(f"/suggest/{one}").json()["state"] == "received"
        predict_label_and_correct(api, 0, Acknowledged())


@contextmanager
def full_disk(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let no file of a process grow beyond a hundred bytes, meanwhile."""
    before = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, before)


needs_prlimit = pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason="only Linux can lift a limit of another process"
)


@needs_prlimit
def test_on_a_full_disk_predictions_go_on_and_other_writes_are_refused(
    with_copy: Settings,
) -> None:
    with servers.api_process(with_copy) as (url, process), httpx.Client(base_url=url, timeout=30.0) as api:
        (before,) = ask(api, SETOSA_ROW)
        truth = {"prediction_id": before["prediction_id"], "class_name": "Iris-setosa"}
        assert api.post("/feedback", json=truth).status_code == 200
        correction = {**SETOSA, "class_name": "Iris-setosa"}
        with full_disk(process):
            sent = [before["prediction_id"], *(ask(api, SETOSA_ROW)[0]["prediction_id"] for _ in range(100))]
            check_problem(api.post("/suggest", json=correction), 503)
            check_problem(api.post("/feedback", json={**truth, "class_name": "Iris-virginica", "replace": True}), 503)
            check_problem(api.post("/feedback", json={**truth, "prediction_id": sent[-1]}), 503)
            assert api.get("/readyz").status_code == 200
            assert api.get("/models").json()["versions"][0]["labels"] == 1
            assert counted(api, "prediction_log_waiting_rows") == len(sent) - 1
        wait_for("an empty queue", lambda: counted(api, "prediction_log_waiting_rows") == 0)
        assert counted(api, "prediction_log_dropped_total") == 0
        accepted = api.post("/suggest", json=correction).raise_for_status().json()["suggestion_id"]
        assert api.post("/feedback", json={**truth, "prediction_id": sent[-1]}).status_code == 200
    with store_of(with_copy) as store:
        assert [row["id"] for row in logged(store)] == sent
        assert told(store) == dict.fromkeys((sent[0], sent[-1]), "Iris-setosa")
        assert store.suggestions.get(accepted) is not None
        check_whole(store)


@needs_prlimit
def test_a_full_disk_costs_no_more_than_the_queue_cannot_hold(with_copy: Settings) -> None:
    with servers.api_process(with_copy) as (url, process), httpx.Client(base_url=url, timeout=30.0) as api:
        half = [SETOSA_ROW] * (MAX_WAITING_ROWS // 2)
        with full_disk(process):
            sent = [answer["prediction_id"] for _ in range(2) for answer in ask(api, *half)]
            assert len(ask(api, *half)) == len(half)
            assert counted(api, "prediction_log_dropped_total") == len(half)
        wait_for("an empty queue", lambda: counted(api, "prediction_log_waiting_rows") == 0)
    with store_of(with_copy) as store:
        assert [row["id"] for row in logged(store)] == sent
        check_whole(store)

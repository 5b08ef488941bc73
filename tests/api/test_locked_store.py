"""While the store is locked, requests that need it are refused within seconds, and no others wait."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from uuid import uuid4

import httpx

from common.registry.client import Version
from common.settings import Settings
from common.store.threads import STORE_SECONDS, THREAD_SECONDS
from tests.api.http.test_large_bodies import LARGE
from tests.api.inference.test_prediction_log import SETOSA, write_lock
from tests.api.protocols.oip.test_routes import MODEL
from tests.api.routes.test_bad_requests import JSON, ROW, check_problem
from tests.api.routes.test_suggest import GOOD, kept
from tests.conftest import register_onnx, running_api

CROWD = 40
# A thread, the store, and a busy machine.
REFUSED_WITHIN = THREAD_SECONDS + STORE_SECONDS + 3.0
AT_ONCE_WITHIN = 2.0
SELDON_FEEDBACK = {"request": {"data": {"ndarray": [ROW]}}, "truth": {"data": {"ndarray": [0]}}}

NEEDS: list[tuple[str, Callable[[], object]]] = [
    ("/suggest", lambda: GOOD),
    ("/suggest", lambda: GOOD | {"prediction_id": f"{uuid4()}"}),
    ("/feedback", lambda: {"class_name": "Iris-setosa", "prediction_id": f"{uuid4()}"}),
    ("/api/v1.0/feedback", lambda: SELDON_FEEDBACK),
]
IN_OTHER_WORDS = {"content-type": "application/json; charset=utf-8"}  # so that the route is taken
NEEDS_NOT: list[tuple[str, object, dict[str, str]]] = [
    ("/predict", {"data": [ROW] * 5_000}, JSON),
    ("/predict", {"data": [ROW] * 5_000}, IN_OTHER_WORDS),
    (f"{MODEL}/infer", LARGE, JSON),
    ("/api/v1.0/predictions", {"data": {"ndarray": [ROW] * 5_000}}, JSON),
    ("/predict", SETOSA, JSON),
]
READS = [("/models", 200), (f"/predictions/{uuid4()}", 404), (f"/suggest/{uuid4()}", 404)]


def timed(ask: Callable[[], httpx.Response]) -> tuple[httpx.Response, float]:
    begin = time.monotonic()
    return ask(), time.monotonic() - begin


def test_requests_that_need_a_locked_store_are_refused_within_seconds_and_no_others_wait(with_copy: Settings) -> None:
    with ExitStack() as lock, running_api(with_copy) as api, ThreadPoolExecutor(CROWD) as pool:
        lock.enter_context(write_lock(with_copy))
        asking = (NEEDS[number % len(NEEDS)] for number in range(CROWD))
        crowd = [pool.submit(timed, partial(api.post, path, json=make())) for path, make in asking]
        for path, sent, headers in NEEDS_NOT:
            answer, seconds = timed(partial(api.post, path, content=json.dumps(sent), headers=headers))
            assert (answer.status_code, seconds < AT_ONCE_WITHIN) == (200, True), (path, seconds)
        for path, status in READS:
            answer, seconds = timed(partial(api.get, path))
            assert (answer.status_code, seconds < AT_ONCE_WITHIN) == (status, True), (path, seconds)
        assert not any(each.done() and each.result()[0].is_success for each in crowd)
        for each in crowd:
            refused, seconds = each.result()
            check_problem(refused, 503)
            assert seconds < REFUSED_WITHIN
        lock.close()
        assert api.post("/suggest", json=GOOD).status_code == 202
    assert kept(with_copy) == 1


def test_a_version_is_promoted_only_when_the_store_can_note_it_and_challenges_without_it(
    api: httpx.Client, settings: Settings, trained: Version, bundle: bytes
) -> None:
    second = register_onnx(settings, bundle)
    with write_lock(settings):
        challenged, seconds = timed(partial(api.post, f"/models/{second}/challenge"))
        assert challenged.status_code == 200
        assert seconds < AT_ONCE_WITHIN
        for path in (f"/models/{second}/promote", f"/models/{trained.number}/rollback"):
            refused, seconds = timed(partial(api.post, path))
            check_problem(refused, 503)
            assert seconds < REFUSED_WITHIN
    assert api.post(f"/models/{second}/promote").raise_for_status().json()["champion"] == second

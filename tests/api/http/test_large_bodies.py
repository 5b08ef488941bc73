"""Large requests leave the event loop to the others."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
import pytest

from api.http.large_bodies import AT_ONCE, LARGE_BYTES, OffloadLarge
from common.bundle.model import Answer, OnnxModel
from common.problem import Rows
from tests.api.inference.test_prediction_log import SETOSA, SETOSA_ROW

LARGE = {"inputs": [{"name": "input", "shape": [9000, 4], "datatype": "FP32", "data": SETOSA_ROW * 9000}]}


def test_small_work_is_done_at_once_and_large_work_in_a_thread() -> None:
    async def run() -> list[int]:
        large = OffloadLarge()
        return [await large.do(threading.get_ident, size) for size in (0, LARGE_BYTES - 1, LARGE_BYTES)]

    first, second, third = asyncio.run(run())
    assert first == second == threading.get_ident()
    assert third != first


def test_only_so_many_are_done_at_once_and_none_is_forgotten() -> None:
    running, most = set[int](), 0

    def work() -> int:
        nonlocal most
        running.add(threading.get_ident())
        most = max(most, len(running))
        # Long enough for others to begin, if they were let.
        threading.Event().wait(0.01)
        running.discard(threading.get_ident())
        return 7

    async def run() -> list[int]:
        large = OffloadLarge()
        return await asyncio.gather(*(large.do(work, LARGE_BYTES) for _ in range(10)))

    assert asyncio.run(run()) == [7] * 10
    assert most == AT_ONCE


def test_an_error_is_raised_and_makes_room_for_the_next() -> None:
    def fail() -> None:
        raise ValueError("wrong")

    async def run() -> None:
        large = OffloadLarge()
        for _ in range(2 * AT_ONCE):
            with pytest.raises(ValueError, match="wrong"):
                await large.do(fail, LARGE_BYTES)

    asyncio.run(run())


@dataclass
class Held:
    """Models that have begun on many rows, and do not return from them until they are let go."""

    begun: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    found, predict = Held(), OnnxModel.predict

    def slow(self: OnnxModel, X: Rows) -> Answer:
        if len(X) > 1:
            found.begun.set()
            found.let_go.wait(60)
        return predict(self, X)

    monkeypatch.setattr(OnnxModel, "predict", slow)
    yield found
    found.let_go.set()


def test_single_predictions_are_answered_beside_a_large_batch(lone_api: httpx.Client, held: Held) -> None:
    with ThreadPoolExecutor(1) as pool:
        batch = pool.submit(lone_api.post, "/v2/models/IrisModel/infer", json=LARGE, timeout=60)
        assert held.begun.wait(60)
        for _ in range(20):
            assert lone_api.post("/predict", json=SETOSA).status_code == 200
        assert not batch.done()
        held.let_go.set()
        answer = batch.result().raise_for_status().json()
    assert answer["outputs"][0]["shape"] == [9000]

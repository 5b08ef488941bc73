"""What a bundle tells of its training rows, and how the monitor comes to know it."""

import asyncio
import logging
from collections.abc import Callable

import mlflow
import pytest

import monitor.reference
from common.problem import Problem
from common.registry import Registry
from common.settings import Settings
from common.store import Store
from monitor.reference import References, read_reference
from tests.common.store.rows import MODEL, prediction
from tests.conftest import RegisterByHand

PATIENCE = 20.0
BINS = {"edges": [1.0, 2.0], "shares": [0.2, 0.3, 0.5]}


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor.reference, "POLL_SECONDS", 0.05)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  # what changes is in another task, which tells nobody
            await asyncio.sleep(0.02)


def test_a_reference_is_read_by_feature() -> None:
    [(name, feature)] = read_reference({"features": {"x": {"mean": 1.5, "bins": BINS}}}).items()
    assert (name, feature.mean) == ("x", 1.5)
    assert feature.edges.tolist() == [1.0, 2.0]
    assert feature.shares.tolist() == [0.2, 0.3, 0.5]


@pytest.mark.parametrize(
    "damaged",
    [
        None,
        {},
        {"features": {"x": {"mean": 1.5}}},
        {"features": {"x": {"mean": "?", "bins": BINS}}},
        {"features": {"x": {"mean": 1.5, "bins": {**BINS, "shares": [1.0]}}}},
        {"features": [1, 2]},
    ],
)
def test_a_damaged_reference_is_none(damaged: object) -> None:
    assert read_reference(damaged) == {}


def test_the_reference_of_the_served_version_is_followed(
    settings: Settings,
    problem: Problem,
    bundle: bytes,
    register_by_hand: RegisterByHand,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Store(settings.database_url)
    store.predictions.write([prediction("a")])

    async def follow() -> None:
        async with Registry(settings.mlflow_uri) as registry:
            references = References(store, registry)
            await references.start()
            assert references.of(MODEL) == {}
            register_by_hand(bundle)
            await until(lambda: references.of(MODEL).keys() == set(problem.columns))
            with caplog.at_level(logging.WARNING, "monitor"):
                register_by_hand(b"no model")
                await until(lambda: references.of(MODEL) == {})
            await references.stop()

    asyncio.run(follow())
    store.close()
    assert "IrisModel version 2 tells no reference" in caplog.text


def test_what_is_known_stays_while_mlflow_is_away(
    settings: Settings, bundle: bytes, register_by_hand: RegisterByHand, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(settings.database_url)
    store.predictions.write([prediction("a")])
    register_by_hand(bundle)

    async def follow() -> None:
        registry = Registry(settings.mlflow_uri)
        references = References(store, registry)
        await references.start()
        await until(lambda: bool(references.of(MODEL)))
        registry._http.base_url = "http://127.0.0.1:1"
        await until(lambda: "references stay as they are" in caplog.text)
        assert references.of(MODEL)
        await references.stop()
        await registry.__aexit__()

    with caplog.at_level(logging.WARNING, "monitor"):
        asyncio.run(follow())
    store.close()
    assert caplog.text.count("references stay as they are") == 1
    assert mlflow.MlflowClient(settings.mlflow_uri).get_model_version(MODEL, "1")


def test_the_numbers_of_a_mixed_problem_have_a_reference() -> None:
    days = {"mean": 7.0, "bins": {"edges": [5.0], "shares": [0.4, 0.6]}}
    found = read_reference({"features": {"Agency": {"shares": {"EPX": 0.7, "CWT": 0.3}}, "Duration": days}})
    assert {name: feature.mean for name, feature in found.items()} == {"Duration": 7.0}

"""Versions that do not serve, although somebody may expect it, are told on the overview."""

import asyncio
from collections.abc import Collection

import mlflow
import pytest

from common.problem import Problem
from common.registry.client import REFUSED, Registry
from common.settings import Settings
from common.store import Store
from monitor.follow_registry import References
from monitor.page.source import Source
from monitor.page.tabs import overview
from monitor.unserved import Unserved, unserved
from tests.common.store.rows import MODEL
from tests.conftest import RegisterByHand
from tests.monitor.page.tabs.log import asking, by_id
from tests.monitor.test_follow_registry import until

NEWER = (
    "version 2 is newer than champion 1: to let it answer, move the alias champion in MLflow, or "
    "POST /models/2/promote at the api"
)


def told(settings: Settings, reigned: Collection[int] = ()) -> list[Unserved]:
    async def ask() -> list[Unserved]:
        async with Registry(settings.mlflow_uri) as registry:
            return await unserved(registry, MODEL, reigned)

    return asyncio.run(ask())


@pytest.fixture
def client(settings: Settings, register_by_hand: RegisterByHand) -> mlflow.MlflowClient:
    """A client of a registry with two versions, the first of which is champion."""
    for _ in range(2):
        register_by_hand(b"unread")
    client = mlflow.MlflowClient(settings.mlflow_uri)
    client.set_registered_model_alias(MODEL, "champion", "1")
    return client


def test_an_empty_registry_has_none(settings: Settings) -> None:
    assert told(settings) == []


def test_a_newer_version_than_the_champion_is_told_unless_it_has_or_had_a_place(
    settings: Settings, client: mlflow.MlflowClient
) -> None:
    assert told(settings) == [Unserved(2, NEWER)]
    assert told(settings, reigned=[1, 2]) == []
    client.set_registered_model_alias(MODEL, "challenger", "2")
    assert told(settings) == []
    client.set_registered_model_alias(MODEL, "champion", "2")
    client.delete_registered_model_alias(MODEL, "challenger")
    assert told(settings) == []
    client.delete_registered_model_alias(MODEL, "champion")
    assert told(settings) == []


def test_a_refused_version_is_told_once_with_its_reason(settings: Settings, client: mlflow.MlflowClient) -> None:
    client.set_model_version_tag(MODEL, "2", REFUSED, "labels are () for 1 rows")
    assert told(settings) == [Unserved(2, "refused: labels are () for 1 rows")]
    client.set_registered_model_alias(MODEL, "champion", "2")
    assert told(settings) == [Unserved(2, "refused: labels are () for 1 rows")]


def test_the_overview_shows_a_first_version_that_is_refused_before_anything_was_predicted(
    settings: Settings, problem: Problem, register_by_hand: RegisterByHand
) -> None:
    register_by_hand(b"garbage")
    mlflow.MlflowClient(settings.mlflow_uri).set_model_version_tag(MODEL, "1", REFUSED, "not a model")
    store = Store(settings.database_url)

    async def follow() -> References:
        async with Registry(settings.mlflow_uri) as registry:
            references = References(store, registry, {problem.name: MODEL})
            await references.start()
            await until(lambda: bool(references.unserved(problem.name)))
            await references.stop()
        return references

    source = Source(store, asyncio.run(follow()), "http://mlflow", "http://prefect")
    assert by_id(overview.build(source, asking()))["unserved"].rows == [["version 1", "refused: not a model"]]
    store.close()

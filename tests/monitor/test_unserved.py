"""Versions that do not serve, although somebody may expect it, stand on the overview with the reason."""

import asyncio

import mlflow
import pytest

from common.problem import Problem
from common.registry.client import REFUSED, Registry, Version
from common.settings import Settings
from common.store import Store
from monitor.follow_registry import References, Unserved, unserved
from monitor.page.tabs import overview
from monitor.page.view import Backends, View
from tests.common.store.rows import MODEL
from tests.conftest import RegisterByHand
from tests.monitor.page.tabs.log import asking, by_id
from tests.monitor.test_follow_registry import until

FIRST, SECOND = (Version(MODEL, number, f"models:/{number}", {}) for number in (1, 2))
REFUSED_SECOND = Version(MODEL, 2, "models:/2", {REFUSED: "labels are () for 1 rows"})
NEWER = Unserved(
    2,
    "version 2 is newer than champion 1: to let it answer, move the alias champion in MLflow, or "
    "POST /models/2/promote at the api",
)


@pytest.mark.parametrize(
    ("champion", "challenger", "newest", "former", "expected"),
    [
        (None, None, None, (), []),
        (FIRST, None, SECOND, (), [NEWER]),
        (FIRST, None, SECOND, (1, 2), []),
        (FIRST, SECOND, SECOND, (), []),
        (SECOND, None, SECOND, (), []),
        (None, None, SECOND, (), []),
    ],
)
def test_a_newer_version_than_the_champion_is_found_unless_it_is_challenger_or_was_champion(
    champion: Version | None,
    challenger: Version | None,
    newest: Version | None,
    former: tuple[int, ...],
    expected: list[Unserved],
) -> None:
    assert unserved(champion, challenger, newest, former) == expected


@pytest.mark.parametrize("champion", [FIRST, REFUSED_SECOND, None])
def test_a_refused_version_is_found_once_with_its_reason(champion: Version | None) -> None:
    expected = [Unserved(2, "refused: labels are () for 1 rows")]
    assert unserved(champion, None, REFUSED_SECOND, ()) == expected


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

    backends = Backends(store, asyncio.run(follow()), "http://mlflow", "http://prefect")
    panel = by_id(overview.build(View(backends, asking())))["status"]
    assert ["Version 1 does not serve. It is refused: not a model", "", ""] in panel.rows
    store.close()

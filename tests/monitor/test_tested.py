"""What versions reached on the test rows, the monitor knows without asking for it when a page is made."""

import asyncio

import pytest

import monitor.follow_registry
from common.registry.client import Registry, Version
from common.settings import Settings
from common.store import Store
from monitor.follow_registry import References
from tests.common.store.rows import MODEL, prediction

PATIENCE = 20.0


def test_the_results_of_versions_are_followed(
    settings: Settings, trained: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor.follow_registry, "POLL_SECONDS", 0.05)
    store = Store(settings.database_url)
    store.predictions.write([prediction("a")])

    async def follow() -> dict[str, float]:
        async with Registry(settings.mlflow_uri) as registry, asyncio.timeout(PATIENCE):
            references = References(store, registry)
            assert references.tested(MODEL, trained.number) == {}
            await references.start()
            while not references.tested(MODEL, trained.number):  # noqa: ASYNC110  # another task finds it
                await asyncio.sleep(0.02)
            assert references.tested(MODEL, trained.number + 1) == {}
            await references.stop()
            return dict(references.tested(MODEL, trained.number))

    found = asyncio.run(follow())
    store.close()
    assert found["accuracy"] == float(trained.tags["test_accuracy"]) > 0.9
    assert {"accuracy", "precision", "recall", "f1"} <= found.keys()

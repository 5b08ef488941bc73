"""The follower of the registry: references, aliases and test results."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import monitor.follow_registry
from common.bundle.export import export_tested
from common.bundle.model import OnnxModel
from common.confusion import confusion
from common.problem import Problem
from common.registry.client import CHALLENGER, CHAMPION, Registry, Version
from common.settings import Settings
from common.signing.check import check_of
from common.store import Store
from common.table import read_table
from monitor.follow_registry import AliasedVersions, References
from monitor.statistics.reference import CategoryReference, NumberReference, Reference, read_reference
from tests.common.store.rows import MODEL, prediction
from tests.conftest import RegisterByHand

PATIENCE = 20.0
BINS = {"edges": [1.0, 2.0], "shares": [0.2, 0.3, 0.5]}
LENGTH = {"mean": 1.5, "std": 0.5, "quantiles": [0.5, 1.5, 2.5], "bins": BINS}
COLOUR = {"shares": {"blue": 0.7, "red": 0.3}}
ANSWERS = {"rows": 20, "classes": {"shares": {"a": 0.4, "b": 0.6}}, "confidence": LENGTH}
TOLD = {"rows": 10, "class_counts": [4, 6], "features": {"length": LENGTH, "colour": COLOUR}, "answers": ANSWERS}
METADATA = {"reference": TOLD, "classes": ["a", "b"]}


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor.follow_registry, "POLL_SECONDS", 0.05)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  # what changes is in another task, which tells nobody
            await asyncio.sleep(0.02)


def read(metadata: Any) -> Reference | None:
    return read_reference(3, metadata)


def test_numbers_categories_and_answers_are_read() -> None:
    found = read(METADATA)
    assert found
    assert (found.version, found.classes, found.class_counts) == (3, ("a", "b"), {"a": 4, "b": 6})
    length, colour = found.features["length"], found.features["colour"]
    assert isinstance(length, NumberReference)
    assert (length.rows, length.mean, length.std) == (10, 1.5, 0.5)
    assert (length.edges.tolist(), length.shares.tolist()) == ([1.0, 2.0], [0.2, 0.3, 0.5])
    assert colour == CategoryReference(10, {"blue": 0.7, "red": 0.3})
    assert found.answers == CategoryReference(20, {"a": 0.4, "b": 0.6})
    assert found.confidence
    assert (found.confidence.rows, found.confidence.mean) == (20, 1.5)


def test_means_without_outliers_are_read_from_a_bundle_that_has_them() -> None:
    found = read({**METADATA, "reference": {**TOLD, "usual": {"length": {"mean": 1.25, "std": 0.25}}}})
    assert found
    length = found.features["length"]
    assert isinstance(length, NumberReference)
    assert (length.mean, length.usual) == (1.5, (1.25, 0.25))


def test_answers_and_confidence_may_be_missing() -> None:
    older = read({**METADATA, "reference": {name: told for name, told in TOLD.items() if name != "answers"}})
    assert older
    assert (older.answers, older.confidence) == (None, None)
    certain = read({**METADATA, "reference": {**TOLD, "answers": {**ANSWERS, "confidence": None}}})
    assert certain
    assert certain.answers
    assert certain.confidence is None


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"classes": ["a", "b"]},
        {**METADATA, "reference": None},
        {**METADATA, "classes": ["a"]},
        {**METADATA, "reference": {**TOLD, "rows": 0}},
        {**METADATA, "reference": {**TOLD, "features": [1, 2]}},
        {**METADATA, "reference": {**TOLD, "features": {"length": {**LENGTH, "mean": "?"}}}},
        {**METADATA, "reference": {**TOLD, "features": {"length": {"mean": 1.5}}}},
        {**METADATA, "reference": {**TOLD, "features": {"length": {**LENGTH, "bins": {**BINS, "shares": [1.0]}}}}},
        {**METADATA, "reference": {**TOLD, "features": {"colour": {"shares": {}}}}},
        {**METADATA, "reference": {**TOLD, "answers": {**ANSWERS, "confusion": [[4, 0]]}}},
        {**METADATA, "reference": {**TOLD, "answers": {**ANSWERS, "confusion": [[4, -1], [0, 4]]}}},
    ],
)
def test_a_damaged_reference_is_none(damaged: object) -> None:
    assert read(damaged) is None


def test_an_exported_bundle_holds_the_answers_to_the_test_rows(
    problem: Problem, bundle: bytes, prepared_data: Path
) -> None:
    train, test = (read_table(prepared_data / f"{name}.csv", problem, indices=True) for name in ("train", "test"))
    model = LogisticRegression(max_iter=1000).fit(train.X, train.y)
    graph = export_tested(model, problem, train, test).graph
    loaded = OnnxModel(graph.SerializeToString())
    found, answer = read_reference(1, loaded.metadata), loaded.predict(test.X.astype(np.float32))
    assert found
    assert found.answers
    assert found.confidence
    assert found.tested
    assert found.tested.classes == problem.target.classes
    assert found.tested.matrix.tolist() == confusion(test.y, answer.labels, 3).tolist()
    assert answer.probabilities is not None
    counts = np.bincount(answer.labels, minlength=3) / len(test.y)
    assert found.answers.shares == dict(zip(problem.target.classes, counts.tolist(), strict=True))
    assert found.confidence.mean == pytest.approx(float(answer.probabilities.max(axis=1).mean()))
    assert found.confidence.rows == found.answers.rows == len(test.y)
    before = read_reference(1, OnnxModel(bundle).metadata)
    assert before
    assert before.answers is None


def features(references: References) -> set[str]:
    found = references.of(MODEL)
    return set(found.features) if found else set()


Check = Callable[[References, Registry], Coroutine[None, None, None]]


def follow(settings: Settings, check: Check) -> None:
    """Follow the registry for a store with one prediction while `check` runs."""

    async def run(store: Store) -> None:
        async with Registry(settings.mlflow_uri) as registry:
            registry.check = check_of(settings)
            references = References(store, registry)
            await references.start()
            await check(references, registry)
            await references.stop()

    with closing(Store(settings.database_url)) as store:
        store.predictions.write([prediction("a")])
        asyncio.run(run(store))


def test_the_reference_of_the_served_version_is_followed(
    settings: Settings,
    problem: Problem,
    bundle: bytes,
    register_by_hand: RegisterByHand,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def check(references: References, _: Registry) -> None:
        assert references.of(MODEL) is None
        assert not references.knows(MODEL)
        register_by_hand(bundle)
        await until(lambda: features(references) == set(problem.columns))
        register_by_hand(b"no model")
        await until(lambda: references.of(MODEL) is None)
        assert references.knows(MODEL)

    with caplog.at_level(logging.WARNING, "monitor"):
        follow(settings, check)
    assert "the bundle of IrisModel version 2 has no reference" in caplog.text


def test_a_version_without_signature_is_not_read_where_it_has_to_have_one(
    settings: Settings, bundle: bytes, register_by_hand: RegisterByHand, caplog: pytest.LogCaptureFixture
) -> None:
    register_by_hand(bundle)

    async def check(references: References, _: Registry) -> None:
        await until(lambda: "IrisModel version 1 is not used: it has no signature" in caplog.text)
        assert references.of(MODEL) is None
        assert references.aliases(MODEL) == AliasedVersions(1, None)

    with caplog.at_level(logging.WARNING):
        follow(settings.model_copy(update={"allow_unsigned": False}), check)


def test_the_aliases_are_followed_through_challenge_promotion_and_rollback(
    settings: Settings, bundle: bytes, register_by_hand: RegisterByHand
) -> None:
    first, second = register_by_hand(bundle), register_by_hand(bundle)

    async def check(references: References, registry: Registry) -> None:
        assert references.aliases(MODEL) is None
        await registry.set_alias(MODEL, CHAMPION, first)
        await registry.set_alias(MODEL, CHALLENGER, second)
        await until(lambda: references.aliases(MODEL) == AliasedVersions(first, second))
        await registry.set_alias(MODEL, CHALLENGER, None)
        await registry.set_alias(MODEL, CHAMPION, second)
        await until(lambda: references.aliases(MODEL) == AliasedVersions(second, None))
        await registry.set_alias(MODEL, CHAMPION, first)
        await until(lambda: references.aliases(MODEL) == AliasedVersions(first, None))

    follow(settings, check)


def test_everything_known_stays_while_mlflow_is_away(
    settings: Settings, bundle: bytes, register_by_hand: RegisterByHand, caplog: pytest.LogCaptureFixture
) -> None:
    register_by_hand(bundle)

    async def check(references: References, registry: Registry) -> None:
        await until(lambda: bool(references.of(MODEL)))
        registry._http.base_url = "http://127.0.0.1:1"
        await until(lambda: "the reference data cannot be updated" in caplog.text)
        assert references.of(MODEL)

    with caplog.at_level(logging.WARNING, "monitor"):
        follow(settings, check)
    assert caplog.text.count("the reference data cannot be updated") == 1
    assert mlflow.MlflowClient(settings.mlflow_uri).get_model_version(MODEL, "1")


def test_the_test_results_of_versions_are_followed(settings: Settings, trained: Version) -> None:
    async def check(references: References, _: Registry) -> None:
        assert references.tested(MODEL, trained.number) == {}
        await until(lambda: bool(references.tested(MODEL, trained.number)))
        assert references.tested(MODEL, trained.number + 1) == {}
        found = references.tested(MODEL, trained.number)
        assert found["accuracy"] == float(trained.tags["test_accuracy"]) > 0.9
        assert {"accuracy", "precision", "recall", "f1"} <= found.keys()

    follow(settings, check)

"""The evidence for the gate: which rows it has, and which versions answer them; on a real MLflow and a real store."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import mlflow
import numpy as np
import pytest

from common.named_rows import as_rows, indices_of
from common.problem import Problem
from common.registry import publish
from common.registry.client import Version
from common.settings import Settings
from common.store import Store
from common.store.judgements import JudgementRecord
from common.table import read_table
from finetune.evidence import answers, set_exam
from tests.common.store.rows import CLASSES, FEATURES, MODEL, NOON, SETOSA, VIRGINICA, prediction, suggestion
from tests.conftest import set_alias

TEST_ROWS = 30
SOON = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def store(settings: Settings, trained: Version) -> Iterator[Store]:
    """The store of a lab with version 1."""
    assert trained.number == 1
    opened = Store(settings.database_url)
    yield opened
    opened.close()


def log(store: Store, **petal_widths: float) -> list[Any]:
    rows: list[Any] = [
        prediction(name) | {"features": FEATURES | {"petal_width": width}} for name, width in petal_widths.items()
    ]
    store.predictions.write(rows)
    return rows


def test_live_rows_come_first_and_the_rows_of_the_test_last(
    settings: Settings, problem: Problem, trained: Version, store: Store
) -> None:
    log(store, told=0.3, silent=0.4)
    store.feedback.give("told", VIRGINICA)
    exam = set_exam(problem, settings, store, trained, [suggestion("a")])
    test = read_table(settings.data_dir / "test.csv", problem, indices=True)
    assert [*exam.evidence.ids] == ["told", "silent", *[""] * TEST_ROWS]
    np.testing.assert_array_equal(exam.X, [[5.1, 3.5, 1.4, 0.3], [5.1, 3.5, 1.4, 0.4], *test.X.tolist()])
    np.testing.assert_array_equal(exam.evidence.truth, [2, -1, *test.y])
    np.testing.assert_array_equal(exam.evidence.fresh, [True, True, *[False] * TEST_ROWS])
    bundle = publish.load_bundle(settings, trained)
    np.testing.assert_array_equal(exam.champion, bundle.predict(bundle.as_rows(exam.X)).labels)
    assert (exam.taught.X.tolist(), exam.taught.y.tolist(), exam.taught_before.tolist()) == (
        [[5.1, 3.5, 1.4, 0.2]], [0], [0],
    )  # fmt: skip


def test_rows_that_the_candidates_are_taught_and_truths_older_than_the_anchor_are_no_evidence(
    settings: Settings, problem: Problem, trained: Version, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(store, taught=0.3, told=0.4)
    store.correct(replace(suggestion("s", prediction_id="taught"), trusted=True))
    store.feedback.give("told", SETOSA)
    assert [*set_exam(problem, settings, store, trained, []).evidence.ids][:-TEST_ROWS] == ["told"]
    monkeypatch.setattr("common.registry.publish.registered_at", lambda _: SOON)
    assert [*set_exam(problem, settings, store, trained, []).evidence.ids][:-TEST_ROWS] == []


def test_with_a_key_only_trusted_truths_are_evidence(
    settings: Settings, problem: Problem, trained: Version, store: Store
) -> None:
    rows = log(store, anybody=0.3, keyed=0.4)
    for row in rows:
        store.feedback.give(row["id"], SETOSA, trusted=row["id"] == "keyed")
    with_key = Settings(**settings.model_dump() | {"api_key": "secret"})
    assert sorted(set_exam(problem, settings, store, trained, []).evidence.ids)[-2:] == ["anybody", "keyed"]
    assert sorted(set_exam(problem, with_key, store, trained, []).evidence.ids)[-1:] == ["keyed"]


def test_the_anchor_is_the_version_under_its_alias_and_else_the_trainings(
    settings: Settings, problem: Problem, trained: Version, store: Store
) -> None:
    client = mlflow.MlflowClient(settings.mlflow_uri)
    made = client.get_model_version(MODEL, "1")
    unsigned = {name: value for name, value in made.tags.items() if name != "signature"}
    tags = unsigned | {"continued_from": trained.tags["sklearn_version"], "sklearn_version": "2"}
    model_id = str(made.source).rpartition("/")[2]
    again = client.create_model_version(MODEL, str(made.source), tags=tags, model_id=model_id)
    second = Version(MODEL, int(again.version), str(again.source), {**again.tags})
    client.delete_registered_model_alias(MODEL, "anchor")
    exam = set_exam(problem, settings, store, second, [])
    assert (exam.champion_number, exam.anchor_number) == (2, 1)
    set_alias(settings, "anchor", 2)
    assert set_exam(problem, settings, store, second, []).anchor_number == 2


def test_each_judgement_against_the_same_anchor_is_a_try(
    settings: Settings, problem: Problem, trained: Version, store: Store
) -> None:
    assert set_exam(problem, settings, store, trained, []).rules.tries == 1
    for number, anchor in enumerate([1, 1, 7]):
        store.judgements.add(
            JudgementRecord(str(number), "iris", NOON, "refused", None, "refitted", {"anchor": anchor})
        )
    assert set_exam(problem, settings, store, trained, []).rules.tries == 3


def test_the_answers_are_indices_of_the_problems_classes_whatever_order_the_bundle_has(problem: Problem) -> None:
    bundle: Any = SimpleNamespace(
        classes=["Iris-unknown", *reversed(CLASSES)],
        as_rows=np.asarray,
        predict=lambda X: SimpleNamespace(labels=np.arange(len(X))),
    )
    assert answers(bundle, np.zeros((4, 4)), problem).tolist() == [-2, 2, 1, 0]
    assert answers(bundle, np.zeros((0, 4)), problem).tolist() == []


def test_rows_and_classes_are_in_the_problems_order(problem: Problem) -> None:
    backwards = dict(reversed(FEATURES.items()))
    assert as_rows(problem, [backwards]).tolist() == [[5.1, 3.5, 1.4, 0.2]]
    assert as_rows(problem, []).shape == (0, 4)
    assert indices_of(problem, [VIRGINICA, None, "Iris-unknown"]).tolist() == [2, -1, -1]

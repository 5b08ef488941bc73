"""Evidence: which logged rows versions are compared on."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from common.store import Store, evidence
from common.store.evidence import EvidenceRow
from common.store.predictions import PredictionRow
from common.store.tables import feedback
from tests.common.store.rows import FEATURES, MODEL, NOON, SETOSA, VERSICOLOR, VIRGINICA, prediction, shadow, suggestion

LONG_AGO = NOON - timedelta(days=365)


def row(name: str, width: float = 0.2, **changes: Any) -> PredictionRow:
    """Return a champion's row with a petal of that width."""
    return prediction(name) | {"features": FEATURES | {"petal_width": width}, **changes}  # type: ignore[return-value]


def features(width: float) -> Mapping[str, float | str]:
    return FEATURES | {"petal_width": width}


def truths(store: Store, since: datetime = LONG_AGO, limit: int = 500, *, trusted_only: bool = False) -> list[str]:
    found = store.evidence.live_truths("iris", MODEL, since, limit, trusted_only=trusted_only)
    return [each.prediction_id for each in found]


def unlabelled(store: Store, limit: int = 1000) -> list[str]:
    return [each.prediction_id for each in store.evidence.unlabelled("iris", MODEL, limit)]


def came(store: Store, name: str, moment: datetime) -> None:
    """Set the time at which a ground truth came."""
    with store._database.writing() as connection:
        at = feedback.update().where(feedback.c.prediction_id == name).values(received_at=moment)
        connection.execute(at)


def test_a_live_truth_has_the_features_and_the_true_class_of_the_champions_row(store: Store) -> None:
    store.predictions.write([row("a", 0.7), shadow("a", VIRGINICA), row("b")])
    store.feedback.give("a", VERSICOLOR)
    found = store.evidence.live_truths("iris", MODEL, LONG_AGO, trusted_only=False)
    assert found == [EvidenceRow("a", features(0.7), VERSICOLOR)]


def test_the_newest_live_truths_since_a_moment_come_first(store: Store) -> None:
    for name in "dbca":
        store.known_rows.write([row(name)], [SETOSA])
        came(store, name, NOON + timedelta(minutes="abcd".index(name)))
    assert truths(store) == ["d", "c", "b", "a"]
    assert truths(store, limit=2) == ["d", "c"]
    assert truths(store, since=NOON + timedelta(minutes=1)) == ["d", "c"]


def test_live_truths_without_trust_count_only_where_all_do(store: Store) -> None:
    store.known_rows.write([row("a")], [SETOSA], source="key", trusted=True)
    store.known_rows.write([row("b")], [SETOSA], source="10.0.0.7")
    assert (sorted(truths(store)), truths(store, trusted_only=True)) == (["a", "b"], ["a"])


def test_live_truths_are_of_the_champions_of_one_model(store: Store) -> None:
    others = row("b", problem="breast_cancer"), row("c", model_name="AnotherModel"), shadow("d")
    store.known_rows.write([row("a"), *others], [SETOSA] * 4)
    assert truths(store) == ["a"]


def test_what_a_suggestion_teaches_is_no_evidence(store: Store) -> None:
    store.known_rows.write([row("a"), row("b"), row("c")], [SETOSA] * 3)
    store.correct(replace(suggestion("s", prediction_id="b"), trusted=True))
    assert sorted(truths(store)) == ["a", "c"]


def test_rows_without_ground_truth_are_evidence_the_newest_first(store: Store) -> None:
    moments = [NOON + timedelta(minutes=minutes) for minutes in range(4)]
    store.predictions.write([row(name, number, predicted_at=moments[number]) for number, name in enumerate("abcd")])
    store.feedback.give("c", SETOSA)
    assert store.evidence.unlabelled("iris", MODEL, 2) == [EvidenceRow("d", features(3)), EvidenceRow("b", features(1))]
    assert unlabelled(store) == ["d", "b", "a"]


def test_outliers_challengers_and_other_models_are_no_evidence(store: Store) -> None:
    rows = [row("b", 2, is_outlier=True), row("c", 3, problem="breast_cancer"), row("d", 4, model_name="AnotherModel")]
    store.predictions.write([row("a", 1), *rows, shadow("e"), row("f", 5, is_outlier=None)])
    assert sorted(unlabelled(store)) == ["a", "f"]


def test_equal_rows_are_evidence_once(store: Store) -> None:
    store.predictions.write(
        [row(f"{number}", number % 3, predicted_at=NOON + timedelta(seconds=number)) for number in range(9)]
    )
    assert unlabelled(store) == ["8", "7", "6"]


def test_no_more_of_the_log_is_read_than_its_newest_rows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "SCANNED", 3)
    store.predictions.write(
        [row(f"{number}", number, predicted_at=NOON + timedelta(seconds=number)) for number in range(9)]
    )
    assert unlabelled(store) == ["8", "7", "6"]


def test_evidence_is_found_by_indexes(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    queries: list[sa.Select[Any]] = []

    def read(query: sa.Select[Any]) -> list[sa.RowMapping]:
        queries.append(query)
        return []

    monkeypatch.setattr(sqlite_store._database, "read", read)
    sqlite_store.evidence.live_truths("iris", MODEL, LONG_AGO, trusted_only=True)
    sqlite_store.evidence.unlabelled("iris", MODEL)
    with sqlite_store._database._engine.connect().execution_options(reads=True) as connection:
        truths_plan, unlabelled_plan = (plan(connection, query) for query in queries)
    assert "feedback USING INDEX ix_feedback_problem_received_at" in truths_plan
    assert "predictions USING INDEX ix_predictions_problem_predicted_at" in unlabelled_plan
    assert "SCAN feedback" not in truths_plan + unlabelled_plan
    assert "SCAN predictions" not in truths_plan + unlabelled_plan


def plan(connection: sa.Connection, query: sa.Select[Any]) -> str:
    """Return SQLite's plan for a query, one step after the other."""
    statement = query.compile(connection, compile_kwargs={"literal_binds": True, "render_postcompile": True})
    return " ".join(step[3] for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}"))

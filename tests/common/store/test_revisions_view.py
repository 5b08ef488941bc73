"""The view `predictions_and_revisions`: what became of each logged answer, for people who read the store by SQL."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from common.settings import PROJECT
from common.store import Store
from common.store.monitoring.tables import exports
from common.store.tables import predictions, suggestions
from tests.common.store.rows import NOON, SETOSA, VERSICOLOR, VIRGINICA, prediction, shadow, suggestion


def rows(store: Store, condition: str = "role = 'champion'") -> dict[str, sa.RowMapping]:
    found = store._database.read(sa.text(f"SELECT * FROM predictions_and_revisions WHERE {condition}"))  # noqa: S608
    return {row["prediction_id"]: row for row in found}


def moment(value: Any) -> datetime:
    """Return a moment of the view: SQLite stores it as text in UTC."""
    return datetime.fromisoformat(value).replace(tzinfo=UTC) if isinstance(value, str) else value.astimezone(UTC)


def test_an_answer_of_which_nothing_is_known_yet_has_no_revision(store: Store) -> None:
    store.predictions.write([prediction("a")])
    row = rows(store)["a"]
    assert (row["predicted_class"], row["confidence"]) == (SETOSA, pytest.approx(0.7))
    assert moment(row["predicted_at"]) == NOON
    assert [bool(row[name]) for name in ("validated", "logged", "trained")] == [False, False, False]
    assert [row[name] for name in ("true_class", "validated_at", "logged_at", "trained_version")] == [None] * 4


@pytest.mark.parametrize(("name", "index"), [(SETOSA, 0), (VERSICOLOR, 1), (VIRGINICA, 2)])
def test_the_index_of_the_predicted_class_is_its_place_among_the_probabilities(
    store: Store, name: str, index: int
) -> None:
    store.predictions.write([prediction("a", name), prediction("b", name) | {"probabilities": None}])
    found = rows(store)
    assert found["a"]["predicted_class_index"] == index
    assert found["b"]["predicted_class_index"] is None


def test_a_ground_truth_shows_on_both_answers_and_a_replaced_one_with_its_own_time(store: Store) -> None:
    store.predictions.write([prediction("a"), shadow("a", VERSICOLOR)])
    store.feedback.give("a", VIRGINICA)
    told = moment(rows(store)["a"]["validated_at"])
    store.feedback.give("a", VERSICOLOR, replace=True)
    for role in ("champion", "shadow"):
        row = rows(store, f"role = '{role}'")["a"]
        assert (bool(row["validated"]), row["true_class"]) == (True, VERSICOLOR)
        assert told < moment(row["validated_at"]) < datetime.now(UTC) + timedelta(minutes=1)


def test_an_answer_is_trained_with_the_first_version_that_learnt_its_correction(store: Store) -> None:
    store.predictions.write([prediction("a"), prediction("b")])
    for name, prediction_id in (("s", "a"), ("t", "a"), ("u", "b")):
        store.suggestions.add(suggestion(name, prediction_id=prediction_id))
    with store._database.writing() as connection:
        for name, version in (("s", 4), ("t", 3)):
            connection.execute(suggestions.update().where(suggestions.c.id == name).values(trained_version=version))
    found = rows(store)
    assert (bool(found["a"]["trained"]), found["a"]["trained_version"]) == (True, 3)
    assert (bool(found["b"]["trained"]), found["b"]["trained_version"]) == (False, None)


def test_an_answer_is_logged_once_its_export_is_finished(store: Store) -> None:
    store.predictions.write([prediction("a"), prediction("b")])
    export = {"problem": "iris", "model_name": "IrisModel", "day": NOON.date(), "rows": 1, "claimed_at": NOON}
    with store._database.writing() as connection:
        connection.execute(exports.insert(), [export | {"finished_at": NOON}, export | {"finished_at": None}])
        for number, name in enumerate("ab", 1):
            connection.execute(predictions.update().where(predictions.c.id == name).values(export_id=number))
    found = rows(store)
    assert (bool(found["a"]["logged"]), moment(found["a"]["logged_at"])) == (True, NOON)
    assert (bool(found["b"]["logged"]), found["b"]["logged_at"]) == (False, None)


def test_every_column_of_the_view_is_documented_and_no_other(store: Store) -> None:
    page = (PROJECT / "docs" / "sources.md").read_text(encoding="utf-8")
    table = page.split("## The view")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)
    store.predictions.write([prediction("a")])
    assert [name for cell in cells for name in re.findall(r"`([a-z_]+)`", cell)] == list(rows(store)["a"])

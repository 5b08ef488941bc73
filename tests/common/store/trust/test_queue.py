"""The queue of the review has every correction in quarantine, newest first, in pages of any size."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from common.store import Store
from common.store.suggestions import Suggestion
from common.store.trust.queue import _counted, _ids
from common.store.trust.reviews import ROLL_BACK
from common.store.trust.tables import vettings
from tests.common.store.rows import CLASSES, NOON, suggestion
from tests.common.store.trust.queued import ANCHOR, DETAILS, MAP, draw, quarantine, take_back

MINUTE = timedelta(minutes=1)


@pytest.fixture
def queue(store: Store) -> Store:
    """Three corrections that vetting has stopped, one of a version that was taken back, and others."""
    for number, (name, rule) in enumerate([("a", "outlier"), ("b", "improbable"), ("c", "outlier")]):
        quarantine(store, name, rule, number=number, at=NOON + number * MINUTE)
    store.suggestions.add(suggestion("learnt"))
    store.suggestions.trained(["learnt"], 2)
    store.suggestions.quarantine(["learnt"], "version 2 was taken back")
    store.suggestions.add(suggestion("waiting"))
    quarantine(store, "withdrawn", "outlier", at=NOON)
    take_back(store, "withdrawn")
    quarantine(store, "elsewhere", problem="other")
    return store


def names(store: Store, limit: int, skip: int = 0, rule: str = "") -> list[str]:
    return [each.suggestion.id for each in store.trust.queue.page("iris", limit, skip, rule)]


def test_it_is_read_page_by_page_newest_first(queue: Store) -> None:
    assert names(queue, 2) == ["learnt", "c"]
    assert names(queue, 2, 2) == ["b", "a"]
    assert names(queue, 2, 4) == []
    assert queue.trust.queue.total("iris") == 4


def test_it_is_read_by_rule(queue: Store) -> None:
    assert names(queue, 9, rule="outlier") == ["c", "a"]
    assert names(queue, 1, 1, rule="outlier") == ["a"]
    assert names(queue, 9, rule="improbable") == ["b"]
    assert names(queue, 9, rule=ROLL_BACK) == ["learnt"]
    assert names(queue, 9, rule="nobody's") == []
    assert queue.trust.queue.by_rule("iris", 4) == {"outlier": 2, "improbable": 1, ROLL_BACK: 1}
    assert queue.trust.queue.by_rule("third", 0) == {}


def test_each_has_its_vetting_if_there_was_one(queue: Store) -> None:
    learnt, vetted = queue.trust.queue.page("iris", 2)
    assert (learnt.rule, learnt.number, learnt.details) == (ROLL_BACK, None, {})
    assert (vetted.rule, vetted.number, vetted.details) == ("outlier", 2, DETAILS)
    assert vetted.suggestion == queue.suggestions.get("c")
    assert isinstance(vetted.suggestion, Suggestion)


def test_maps_are_those_that_are_asked_for_and_the_newest(store: Store) -> None:
    assert store.trust.queue.maps("iris") == {}
    newer = {**MAP, "classes": list(reversed(CLASSES))}
    for anchor, content in ((ANCHOR, MAP), (3, {}), (5, newer)):
        draw(store, content, anchor=anchor)
    draw(store, anchor=9, problem="other")
    assert store.trust.queue.maps("iris") == {5: newer}
    assert store.trust.queue.maps("iris", [ANCHOR, 7]) == {ANCHOR: MAP, 5: newer}


def test_histories_are_read_together(queue: Store) -> None:
    found = queue.trust.queue.histories(["learnt", "a", "nobody"])
    assert [each.state for each in found["learnt"]] == ["received", "trained", "quarantined"]
    assert [each.actor for each in found["a"]] == ["192.0.2.1", "lab"]
    assert found["nobody"] == []
    assert queue.trust.queue.histories([]) == {}


def plan(store: Store, query: sa.Select[object]) -> str:
    """Return how SQLite answers a query."""
    compiled = query.compile(store._database._engine, compile_kwargs={"literal_binds": True})
    with store._database._engine.connect().execution_options(reads=True) as connection:
        return str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}").all())


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("rule", ["", ROLL_BACK, "outlier"])
def test_a_page_of_a_long_queue_is_found_by_indexes_without_sorting(store: Store, rule: str) -> None:
    found = plan(store, _ids("iris", rule).limit(20).offset(1000))
    index = "COVERING INDEX ix_vettings_problem_outcome" if rule == "outlier" else "INDEX ix_suggestions_in_quarantine"
    assert index in found
    assert "SCAN" not in found
    assert "TEMP B-TREE" not in found


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_long_queue_is_counted_in_indexes(store: Store) -> None:
    assert "INDEX ix_suggestions_in_quarantine" in plan(store, _counted("iris"))
    rules = sa.select(vettings.c.rule, sa.func.count()).where(
        vettings.c.problem == "iris", vettings.c.outcome == "quarantined"
    )
    assert "COVERING INDEX ix_vettings_problem_outcome" in plan(store, rules.group_by(vettings.c.rule))

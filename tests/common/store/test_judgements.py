"""Judgements are kept as they were made, and found by suggestion and by problem."""

from dataclasses import replace
from datetime import timedelta

from common.store import Store
from common.store.judgements import JudgementRecord
from tests.common.store.rows import NOON, suggestion

FIGURES = {"gain": 3, "harm": 0, "unknown": 2, "low": -0.0125, "classes": {"Iris-setosa": [1.0, None]}, "labels": []}
FIRST = JudgementRecord("1", "iris", NOON, "accepted", 2, "refitted", FIGURES, "run")


def test_a_judgement_is_read_as_it_was_added(store: Store) -> None:
    without = replace(FIRST, id="2", version=None, flow_run_id=None, verdict="insufficient evidence", details={})
    for each in (FIRST, without):
        store.judgements.add(each)
    assert [store.judgements.of(name) for name in ("1", "2", "3")] == [FIRST, without, None]


def test_adding_a_judgement_twice_changes_nothing(store: Store) -> None:
    store.judgements.add(FIRST)
    store.judgements.add(replace(FIRST, verdict="refused"))
    assert store.judgements.of("1") == FIRST


def test_the_newest_judgements_of_a_problem_come_first(store: Store) -> None:
    made = [replace(FIRST, id=str(hour), judged_at=NOON + timedelta(hours=hour)) for hour in (2, 0, 3, 1)]
    for each in (*made, replace(FIRST, id="other", problem="breast_cancer")):
        store.judgements.add(each)
    assert [each.id for each in store.judgements.newest("iris", 3)] == ["3", "2", "1"]
    assert store.judgements.newest("travel_insurance", 3) == []


def test_a_suggestion_leads_to_its_newest_judgement(store: Store) -> None:
    for name in "ab":
        store.suggestions.add(suggestion(name))
    second = replace(FIRST, id="2", verdict="refused")
    for judgement in (FIRST, second):
        store.judgements.add(judgement)
        store.suggestions.judged(["a"], judgement.id)
    found = [each.judgement_id for name in "ab" if (each := store.suggestions.get(name))]
    assert found == [second.id, None]

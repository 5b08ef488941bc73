"""The corrections of a time are counted by state, class and version."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
import sqlalchemy as sa

from common.store import Store
from common.store.database import records
from common.store.suggestions import STATES, Suggestion
from common.store.tables import suggestions
from tests.common.store.rows import SETOSA, suggestion

HOUR = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def corrections(store: Store) -> Store:
    """A store with corrections in several states, two of them refused: one with a flow run, one without."""
    for name in "abcde":
        store.suggestions.add(suggestion(name))
    store.suggestions.add(replace(suggestion("new"), class_name="Iris-new"))
    store.suggestions.add(suggestion("other", problem="other"))
    store.suggestions.trained(["a", "b"], 3)
    store.suggestions.trained(["c"], 2)
    store.suggestions.refused(["d", "e"], "no")
    store.suggestions.delivered("e", "run")
    return store


def test_corrections_are_counted_by_problem_and_state_with_the_time_of_the_oldest(store: Store) -> None:
    before = now()
    for name in "abc":
        store.suggestions.add(suggestion(name))
    store.suggestions.add(suggestion("d", problem="other"))
    store.suggestions.refused(["a", "c"], "no")
    store.suggestions.delivered("c", "run")
    found = {(each.problem, each.state): each for each in store.correction_history.by_state()}
    assert {key: each.suggestions for key, each in found.items()} == {
        ("iris", "refused"): 2,
        ("iris", "received"): 1,
        ("other", "received"): 1,
    }
    assert before <= found["iris", "refused"].oldest <= found["iris", "received"].oldest <= now()


def test_a_correction_has_the_same_state_in_python_and_in_sql(store: Store) -> None:
    values = {
        "flow_run_id": "run",
        "written": True,
        "trained_version": 2,
        "refused_because": "",
        "quarantined_because": "",
        "withdrawn_because": "",
    }
    chosen = (dict(some) for size in range(6) for some in combinations(values.items(), size))
    for name, some in ((str(number), each) for number, each in enumerate(chosen)):
        store.suggestions.add(suggestion(name, problem=name))
        with store._database.writing() as connection:
            connection.execute(suggestions.update().where(suggestions.c.id == name).values(attempts=0, **some))
    found = store._database.read(sa.select(suggestions))
    states = {each.problem: each.state for each in records(Suggestion, found)}
    assert {each.problem: each.state for each in store.correction_history.by_state()} == states
    assert set(states.values()) == set(STATES)


def test_corrections_of_a_time_are_counted_by_class_and_state(corrections: Store) -> None:
    assert corrections.correction_history.by_class("iris", now() - HOUR, now() + HOUR) == {
        (SETOSA, "trained"): 3,
        (SETOSA, "refused"): 2,
        ("Iris-new", "received"): 1,
    }
    assert corrections.correction_history.by_class("iris", now() - 2 * HOUR, now() - HOUR) == {}


def test_the_newest_corrections_of_some_versions_are_found_behind_any_number_of_others(corrections: Store) -> None:
    span = "iris", now() - HOUR, now() + HOUR
    found = corrections.correction_history.newest(*span, 2, versions=[2, 3])
    assert [each.id for each in found] == ["c", "b"]
    assert len(corrections.correction_history.newest(*span, 9)) == 6


def test_a_version_that_learnt_has_the_time_at_which_its_last_correction_came(corrections: Store) -> None:
    between = now()
    corrections.suggestions.add(suggestion("last"))
    corrections.suggestions.trained(["last"], 2)
    second, third = corrections.correction_history.versions()
    assert (second.problem, second.model_version, third.model_version) == ("iris", 2, 3)
    assert third.last_received < between <= second.last_received

"""Suggestions go through their states in the order in which they came, each problem's apart from the others."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from common.store import Store
from common.store.suggestions import Suggestion
from tests.common.store.rows import suggestion

if TYPE_CHECKING:
    from collections.abc import Callable


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=1)


def due(store: Store, problem: str = "iris", limit: int = 100) -> list[str]:
    return ids(store.suggestions.due(problem, soon(), limit))


def ids(found: list[Suggestion]) -> list[str]:
    return [each.id for each in found]


def get(store: Store, name: str) -> Suggestion:
    found = store.suggestions.get(name)
    assert found is not None
    return found


def add(store: Store, names: str, problem: str = "iris") -> None:
    for name in names:
        store.suggestions.add(suggestion(name, problem))


def reserve(store: Store, names: str) -> None:
    """Reserve rows from 0 on, in the order of the names."""
    store.suggestions.reserve_row(*(replace(suggestion(name), row_number=row) for row, name in enumerate(names)))


def write(store: Store, names: str) -> None:
    """Add suggestions and write them to rows from 0 on."""
    add(store, names)
    reserve(store, names)
    store.suggestions.row_written(*names)


def test_an_unknown_id_is_not_there(store: Store) -> None:
    assert store.suggestions.get("none") is None


@pytest.mark.parametrize(
    ("given", "state", "is_due"),
    [
        (replace(suggestion("a"), prediction_id="p"), "received", ["a"]),
        # Somebody started a flow run in Prefect itself.
        (replace(suggestion("a"), flow_run_id="run"), "delivered", []),
    ],
)
def test_a_suggestion_is_read_as_it_was_added(store: Store, given: Suggestion, state: str, is_due: list[str]) -> None:
    store.suggestions.add(given)
    assert (get(store, "a"), get(store, "a").state, due(store)) == (given, state, is_due)


def test_adding_twice_changes_nothing(store: Store) -> None:
    add(store, "a")
    store.suggestions.delivered("a", "run")
    store.suggestions.add(replace(suggestion("a"), class_name="Iris-virginica"))
    assert get(store, "a") == replace(suggestion("a"), flow_run_id="run")


def test_a_suggestion_goes_through_its_states(store: Store) -> None:
    steps: list[Callable[[], None]] = [
        lambda: add(store, "a"),
        lambda: store.suggestions.delivered("a", "run"),
        lambda: reserve(store, "a"),
        lambda: store.suggestions.row_written("a"),
        lambda: store.suggestions.trained(["a"], 7),
    ]
    states = []
    for step in steps:
        step()
        states.append(get(store, "a").state)
    assert states == ["received", "delivered", "delivered", "waiting", "trained"]
    assert get(store, "a").trained_version == 7


@pytest.mark.parametrize("written", [True, False])
def test_a_refused_suggestion_has_the_reason(store: Store, *, written: bool) -> None:
    (write if written else add)(store, "a")
    store.suggestions.refused(["a"], "accuracy 0.5 is below 0.9")
    assert (get(store, "a").state, get(store, "a").refused_because) == ("refused", "accuracy 0.5 is below 0.9")
    assert due(store) == ids(store.suggestions.waiting("iris")) == []


def test_suggestions_without_a_run_are_due_in_the_order_in_which_they_came(store: Store) -> None:
    add(store, "cab")
    assert due(store) == ["c", "a", "b"]
    assert due(store, limit=2) == ["c", "a"]
    store.suggestions.delivered("c", "run")
    assert due(store) == ["a", "b"]


def test_each_problem_has_suggestions_of_its_own(store: Store) -> None:
    add(store, "a")
    add(store, "b", "breast_cancer")
    assert (due(store), due(store, "breast_cancer")) == (["a"], ["b"])
    reserve(store, "ab")
    assert ids(store.suggestions.unfinished_rows("breast_cancer")) == ["b"]
    store.suggestions.row_written("b")
    assert ids(store.suggestions.waiting("breast_cancer")) == ["b"]
    assert store.suggestions.waiting("iris") == []


def test_a_suggestion_with_a_run_and_without_a_row_is_handed_over(store: Store) -> None:
    add(store, "abcd")
    for name in "bcd":
        store.suggestions.delivered(name, "run")
    reserve(store, "b")
    assert [ids(store.suggestions.handed_over("iris", limit)) for limit in (10, 1, 0)] == [["c", "d"], ["c"], []]
    store.suggestions.refused(["c"], "no")
    assert ids(store.suggestions.handed_over("iris", 10)) == ["d"]


def test_all_suggestions_without_a_row_join_a_run(store: Store) -> None:
    add(store, "abcde")
    add(store, "f", "other")
    store.suggestions.delivery_failed("b", "Prefect was away", soon())
    store.suggestions.delivered("c", "another run")
    store.suggestions.reserve_row(replace(suggestion("d"), row_number=0, flow_run_id="its run"))
    store.suggestions.refused(["e"], "no")
    store.suggestions.delivered("a", "run")
    assert ids(store.suggestions.without_row("iris", 10)) == ["a", "b", "c"]
    store.suggestions.join("iris", "run")
    assert [get(store, name).flow_run_id for name in "abcdef"] == ["run", "run", "run", "its run", None, None]
    assert get(store, "b").last_error is None


def test_no_suggestion_joins_a_run_that_has_rows_for_all_of_its_own(store: Store) -> None:
    add(store, "ab")
    store.suggestions.delivered("a", "run")
    reserve(store, "a")
    store.suggestions.join("iris", "run")
    assert due(store) == ["b"]


def test_another_run_takes_over_the_unfinished_suggestions(store: Store) -> None:
    add(store, "abcde")
    for name in "abcde":
        store.suggestions.delivered(name, "another" if name == "e" else "lost")
    reserve(store, "b")
    store.suggestions.trained(["c"], 2)
    store.suggestions.refused(["d"], "no")
    store.suggestions.run_lost("lost", None, "Prefect was away")
    assert [get(store, name).last_error for name in "abcde"] == ["Prefect was away"] * 2 + [None] * 3
    store.suggestions.run_lost("lost", "new")
    assert [get(store, name).flow_run_id for name in "abcde"] == ["new", "new", "lost", "lost", "another"]
    assert [get(store, name).last_error for name in "abcde"] == [None] * 5


def test_a_reserved_row_is_unfinished_until_it_is_written(store: Store) -> None:
    add(store, "bac")
    reserve(store, "ba")
    assert [(s.id, s.row_number) for s in store.suggestions.unfinished_rows("iris")] == [("b", 0), ("a", 1)]
    store.suggestions.row_written("b")
    assert ids(store.suggestions.unfinished_rows("iris")) == ["a"]
    assert ids(store.suggestions.waiting("iris")) == ["b"]


def test_one_training_settles_several_written_rows_at_once_and_no_others(store: Store) -> None:
    write(store, "edcba")
    store.suggestions.trained(["e", "d"], 3)
    store.suggestions.refused(["b"], "no")
    assert ids(store.suggestions.waiting("iris")) == ["c", "a"]
    assert [get(store, name).trained_version for name in "edcba"] == [3, 3, None, None, None]


def test_eight_threads_write_at_once(store: Store) -> None:
    def add_ten(thread: int) -> None:
        for number in range(10):
            name = f"{thread}-{number}"
            store.suggestions.add(suggestion(name))
            store.suggestions.delivered(name, f"run {name}")
            store.suggestions.add(suggestion("of all"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add_ten, range(8)))
    assert due(store) == ["of all"]
    handed_over = store.suggestions.handed_over("iris", 1000)
    assert {(s.id, s.flow_run_id) for s in handed_over} == {
        (f"{t}-{n}", f"run {t}-{n}") for t in range(8) for n in range(10)
    }


def test_a_version_that_is_rolled_back_leaves_its_suggestions_in_quarantine(store: Store) -> None:
    write(store, "abc")
    store.suggestions.trained(["a", "b"], 3)
    store.suggestions.quarantine(["a"], "version 3 was rolled back")
    states = [get(store, name).state for name in "abc"]
    assert states == ["quarantined", "trained", "waiting"]
    assert get(store, "a").quarantined_because == "version 3 was rolled back"


def test_quarantined_suggestions_leave_the_file_and_never_come_back(store: Store) -> None:
    write(store, "abc")
    store.suggestions.quarantine(["b"], "no")
    assert ids(store.suggestions.waiting("iris")) == ids(store.suggestions.rows_to_keep("iris")) == ["a", "c"]
    assert ids(store.suggestions.rows_of_refused("iris")) == ["b"]
    store.suggestions.rows_removed(["b"])
    assert store.suggestions.rows_of_refused("iris") == store.suggestions.without_row("iris", 10) == []
    assert get(store, "b").state == "quarantined"


def test_quarantined_suggestions_are_not_delivered_again(store: Store) -> None:
    add(store, "abc")
    store.suggestions.quarantine(["a", "b"], "no")
    assert due(store) == ["c"]
    store.suggestions.delivered("b", "run")
    assert store.suggestions.handed_over("iris", 10) == []
    store.suggestions.run_lost("run", "another")
    store.suggestions.join("iris", "another")
    assert [get(store, name).flow_run_id for name in "abc"] == [None, "run", None]


def test_a_version_that_is_taken_back_leaves_quarantined_suggestions_alone(store: Store) -> None:
    write(store, "ab")
    store.suggestions.trained(["a", "b"], 3)
    store.suggestions.quarantine(["b"], "no")
    assert ids(store.suggestions.taken_back("iris", 2, datetime(2026, 1, 1, tzinfo=UTC))) == ["a"]


def test_suggestions_that_were_judged_wait_and_do_not_count_for_the_next_training(store: Store) -> None:
    names = "abcdefghij"
    write(store, names[:5])
    store.suggestions.judged(list("abcde"), "judgement")
    assert ids(store.suggestions.waiting("iris")) == list("abcde")
    assert {each.state for each in store.suggestions.waiting("iris")} == {"waiting"}
    for row, name in enumerate(names[5:], start=5):
        add(store, name)
        store.suggestions.reserve_row(replace(suggestion(name), row_number=row))
        store.suggestions.row_written(name)
    assert ids(store.suggestions.unjudged("iris")) == list("fghij")

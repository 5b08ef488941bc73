"""Suggestions go through their states, in the order they came, each problem's on their own."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from common.store import Store
from common.store.suggestions import MAX_PAUSE, TRAIN_AT, Suggestion
from tests.common.store.rows import SETOSA, suggestion


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=1)


def due(store: Store, problem: str = "iris", limit: int = 100) -> list[str]:
    return [s.id for s in store.suggestions.due(problem, soon(), limit)]


def get(store: Store, name: str) -> Suggestion:
    found = store.suggestions.get(name)
    assert found is not None
    return found


def test_an_unknown_id_is_not_there(store: Store) -> None:
    assert store.suggestions.get("none") is None


def test_what_is_added_is_there_as_it_was_given(store: Store) -> None:
    given = replace(suggestion("a"), prediction_id="p")
    store.suggestions.add(given)
    assert store.suggestions.get("a") == given
    assert get(store, "a").state == "received"


def test_what_was_begun_in_prefect_itself_has_its_run_and_is_due_for_no_other(store: Store) -> None:
    given = replace(suggestion("a"), flow_run_id="run")
    store.suggestions.add(given)
    assert get(store, "a") == given
    assert get(store, "a").state == "delivered"
    assert due(store) == []


def test_adding_twice_changes_nothing(store: Store) -> None:
    store.suggestions.add(suggestion("a"))
    store.suggestions.delivered("a", "run")
    store.suggestions.add(replace(suggestion("a"), class_name="Iris-virginica"))
    assert get(store, "a") == replace(suggestion("a"), flow_run_id="run")


def test_a_suggestion_goes_through_its_states(store: Store) -> None:
    store.suggestions.add(suggestion("a"))
    states = [get(store, "a").state]
    store.suggestions.delivered("a", "run")
    states.append(get(store, "a").state)
    store.suggestions.reserve_row(replace(suggestion("a"), row_number=0))
    states.append(get(store, "a").state)
    store.suggestions.row_written("a")
    states.append(get(store, "a").state)
    store.suggestions.trained(["a"], 7)
    states.append(get(store, "a").state)
    assert states == ["received", "delivered", "delivered", "waiting", "trained"]
    assert get(store, "a").trained_version == 7


@pytest.mark.parametrize("written", [True, False])
def test_a_refused_suggestion_says_why(store: Store, *, written: bool) -> None:
    store.suggestions.add(suggestion("a"))
    if written:
        store.suggestions.reserve_row(replace(suggestion("a"), row_number=0))
        store.suggestions.row_written("a")
    store.suggestions.refused(["a"], "accuracy 0.5 is below 0.9")
    assert get(store, "a").state == "refused"
    assert get(store, "a").refused_because == "accuracy 0.5 is below 0.9"
    assert due(store) == []
    assert store.suggestions.waiting("iris") == []


def test_due_are_those_without_a_run_in_the_order_they_came(store: Store) -> None:
    for name in ("c", "a", "b"):
        store.suggestions.add(suggestion(name))
    assert due(store) == ["c", "a", "b"]
    assert due(store, limit=2) == ["c", "a"]
    store.suggestions.delivered("c", "run")
    assert due(store) == ["a", "b"]


def test_each_problem_has_suggestions_of_its_own(store: Store) -> None:
    for name, problem in (("a", "iris"), ("b", "breast_cancer")):
        store.suggestions.add(suggestion(name, problem))
    assert due(store) == ["a"]
    assert due(store, "breast_cancer") == ["b"]
    for row, name in enumerate("ab"):
        store.suggestions.delivered(name, "run")
        store.suggestions.reserve_row(replace(suggestion(name), row_number=row))
    assert [s.id for s in store.suggestions.unfinished_rows("breast_cancer")] == ["b"]
    store.suggestions.row_written("b")
    assert [s.id for s in store.suggestions.waiting("breast_cancer")] == ["b"]
    assert store.suggestions.waiting("iris") == []


def test_a_failed_delivery_is_due_again_when_its_time_has_come(store: Store) -> None:
    store.suggestions.add(suggestion("a"))
    later = datetime.now(UTC) + MAX_PAUSE
    store.suggestions.delivery_failed("a", "Prefect is down", later)
    store.suggestions.delivery_failed("a", "Prefect is still down", later)
    assert store.suggestions.due("iris", later - timedelta(seconds=1), 10) == []
    [again] = store.suggestions.due("iris", later, 10)
    assert (again.attempts, again.last_error) == (2, "Prefect is still down")


def test_a_delivery_forgets_the_errors_before_it(store: Store) -> None:
    store.suggestions.add(suggestion("a"))
    store.suggestions.delivery_failed("a", "Prefect is down", soon())
    store.suggestions.delivered("a", "run")
    assert (get(store, "a").flow_run_id, get(store, "a").last_error) == ("run", None)


def test_handed_over_are_those_with_a_run_and_without_a_row(store: Store) -> None:
    for name in "abcd":
        store.suggestions.add(suggestion(name))
    for name in "bcd":
        store.suggestions.delivered(name, "run")
    store.suggestions.reserve_row(replace(suggestion("b"), row_number=0))
    assert [s.id for s in store.suggestions.handed_over("iris", 10)] == ["c", "d"]
    assert [s.id for s in store.suggestions.handed_over("iris", 1)] == ["c"]
    assert store.suggestions.handed_over("iris", 0) == []
    store.suggestions.refused(["c"], "no")
    assert [s.id for s in store.suggestions.handed_over("iris", 10)] == ["d"]


def test_a_run_is_joined_by_all_that_have_no_row(store: Store) -> None:
    for name in "abcde":
        store.suggestions.add(suggestion(name))
    store.suggestions.add(suggestion("f", problem="other"))
    store.suggestions.delivery_failed("b", "Prefect was away", soon())
    store.suggestions.delivered("c", "another run")
    store.suggestions.reserve_row(replace(suggestion("d"), row_number=0, flow_run_id="its run"))
    store.suggestions.refused(["e"], "no")
    store.suggestions.delivered("a", "run")
    assert [s.id for s in store.suggestions.without_row("iris", 10)] == ["a", "b", "c"]
    store.suggestions.join("iris", "run")
    assert [get(store, name).flow_run_id for name in "abcdef"] == ["run", "run", "run", "its run", None, None]
    assert get(store, "b").last_error is None


def test_a_run_that_has_rows_for_all_of_its_own_is_joined_by_none(store: Store) -> None:
    store.suggestions.add(suggestion("a"))
    store.suggestions.delivered("a", "run")
    store.suggestions.reserve_row(replace(suggestion("a"), row_number=0))
    store.suggestions.add(suggestion("b"))
    store.suggestions.join("iris", "run")
    assert due(store) == ["b"]


def test_a_run_has_something_to_do_as_long_as_rows_are_to_be_written_or_five_wait(store: Store) -> None:
    store.suggestions.add(suggestion("received"))
    assert store.suggestions.in_hand("iris") is None
    for row, name in enumerate("abcdef"):
        store.suggestions.add(suggestion(name))
        store.suggestions.delivered(name, f"run of {name}")
        assert store.suggestions.in_hand("iris") == get(store, name)
        store.suggestions.reserve_row(replace(suggestion(name), row_number=row))
        store.suggestions.row_written(name)
        assert store.suggestions.in_hand("iris") == (get(store, name) if row >= TRAIN_AT - 1 else None)
    store.suggestions.trained(list("abcdef"), 2)
    assert store.suggestions.in_hand("iris") is None


def test_another_run_takes_over_what_is_unsettled(store: Store) -> None:
    for name in "abcde":
        store.suggestions.add(suggestion(name))
        store.suggestions.delivered(name, "another" if name == "e" else "lost")
    store.suggestions.reserve_row(replace(suggestion("b"), row_number=0))
    store.suggestions.trained(["c"], 2)
    store.suggestions.refused(["d"], "no")
    store.suggestions.run_lost("lost", "Prefect was away")
    assert [get(store, name).last_error for name in "abcde"] == ["Prefect was away"] * 2 + [None] * 3
    store.suggestions.moved("lost", "new")
    assert [get(store, name).flow_run_id for name in "abcde"] == ["new", "new", "lost", "lost", "another"]
    assert [get(store, name).last_error for name in "abcde"] == [None] * 5


def test_rows_are_reserved_and_written_together(store: Store) -> None:
    for name in "ab":
        store.suggestions.add(suggestion(name))
    rows = [replace(suggestion(name), row_number=row) for row, name in enumerate("ab")]
    store.suggestions.reserve_row(*rows)
    assert [s.row_number for s in store.suggestions.unfinished_rows("iris")] == [0, 1]
    store.suggestions.row_written("a", "b")
    assert [s.id for s in store.suggestions.waiting("iris")] == ["a", "b"]


def test_a_reserved_row_is_unfinished_until_it_is_written(store: Store) -> None:
    for row, name in enumerate("ba"):
        store.suggestions.add(suggestion(name))
        store.suggestions.reserve_row(replace(suggestion(name), row_number=row))
    assert [(s.id, s.row_number) for s in store.suggestions.unfinished_rows("iris")] == [("b", 0), ("a", 1)]
    store.suggestions.row_written("b")
    assert [s.id for s in store.suggestions.unfinished_rows("iris")] == ["a"]
    assert [s.id for s in store.suggestions.waiting("iris")] == ["b"]


def test_waiting_are_the_written_rows_that_nothing_has_settled_by_row(store: Store) -> None:
    for row, name in enumerate("dcba"):
        store.suggestions.add(suggestion(name))
        store.suggestions.reserve_row(replace(suggestion(name), row_number=row))
        store.suggestions.row_written(name)
    store.suggestions.trained(["d"], 2)
    store.suggestions.refused(["b"], "no")
    assert [s.id for s in store.suggestions.waiting("iris")] == ["c", "a"]


def test_one_training_settles_several_at_once_and_no_others(store: Store) -> None:
    for name in "abc":
        store.suggestions.add(suggestion(name))
    store.suggestions.trained(["a", "b"], 3)
    assert [get(store, name).trained_version for name in "abc"] == [3, 3, None]


@pytest.mark.parametrize("back", [timedelta(days=1), timedelta(minutes=5)])
def test_nothing_waits_for_a_clock_that_has_been_set_back(store: Store, back: timedelta) -> None:
    store.suggestions.add(suggestion("new"))
    store.suggestions.add(suggestion("failed"))
    store.suggestions.delivery_failed("failed", "Prefect is down", datetime.now(UTC) + MAX_PAUSE)
    assert {s.id for s in store.suggestions.due("iris", datetime.now(UTC) - back, 10)} == {"new", "failed"}


def test_a_pause_is_kept_while_the_clock_runs_on(store: Store) -> None:
    store.suggestions.add(suggestion("a"))
    now = datetime.now(UTC)
    store.suggestions.delivery_failed("a", "Prefect is down", now + MAX_PAUSE)
    assert store.suggestions.due("iris", now, 10) == []


def test_eight_threads_write_at_once(store: Store) -> None:
    def add_ten(thread: int) -> None:
        for number in range(10):
            name = f"{thread}-{number}"
            store.suggestions.add(suggestion(name))
            store.suggestions.delivered(name, f"run {name}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add_ten, range(8)))
    assert due(store) == []
    handed_over = store.suggestions.handed_over("iris", 1000)
    assert {(s.id, s.flow_run_id) for s in handed_over} == {
        (f"{t}-{n}", f"run {t}-{n}") for t in range(8) for n in range(10)
    }


def test_threads_that_add_the_same_suggestion_keep_it_once(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: store.suggestions.add(suggestion("a")), range(40)))
    assert due(store) == ["a"]


def test_standings_tell_for_each_problem_how_many_are_in_which_state_and_since_when(store: Store) -> None:
    before = datetime.now(UTC)
    for name in ("a", "b", "c"):
        store.suggestions.add(suggestion(name))
    store.suggestions.add(suggestion("d", problem="other"))
    # Refused in two ways: they count together, since the older of them came.
    store.suggestions.refused(["a", "c"], "no")
    store.suggestions.delivered("c", "run")
    standings = {(each.problem, each.state): each for each in store.suggestions.standings()}
    assert {key: each.suggestions for key, each in standings.items()} == {
        ("iris", "refused"): 2,
        ("iris", "received"): 1,
        ("other", "received"): 1,
    }
    refused, received = standings["iris", "refused"].oldest, standings["iris", "received"].oldest
    assert before <= refused <= received <= datetime.now(UTC)


def test_what_came_within_a_span_is_counted_by_class_and_state(store: Store) -> None:
    for name in "abc":
        store.suggestions.add(suggestion(name))
    store.suggestions.add(replace(suggestion("d"), class_name="Iris-new"))
    store.suggestions.add(suggestion("e", problem="other"))
    store.suggestions.trained(["a"], 2)
    # Refused in two ways, which count together.
    store.suggestions.refused(["b", "c"], "no")
    store.suggestions.delivered("c", "run")
    hour, now = timedelta(hours=1), datetime.now(UTC)
    assert store.suggestions.by_class("iris", now - hour, now + hour) == {
        (SETOSA, "trained"): 1,
        (SETOSA, "refused"): 2,
        ("Iris-new", "received"): 1,
    }
    assert store.suggestions.by_class("iris", now - 2 * hour, now - hour) == {}


def test_the_newest_that_some_versions_have_learnt_from_are_found_behind_any_number_of_others(store: Store) -> None:
    for name in "abcde":
        store.suggestions.add(suggestion(name))
    store.suggestions.trained(["a", "b"], 2)
    store.suggestions.trained(["c"], 3)
    hour, now = timedelta(hours=1), datetime.now(UTC)
    found = store.suggestions.newest("iris", now - hour, now + hour, 2, versions=[2, 3])
    assert [each.id for each in found] == ["c", "b"]
    assert len(store.suggestions.newest("iris", now - hour, now + hour, 9)) == 5


def test_what_a_version_has_learnt_from_ends_with_the_last_that_came(store: Store) -> None:
    for name in ("a", "b", "c", "d"):
        store.suggestions.add(suggestion(name))
    between = datetime.now(UTC)
    store.suggestions.add(suggestion("e"))
    store.suggestions.trained(["a", "b"], 3)
    store.suggestions.trained(["c", "e"], 2)
    second, third = store.suggestions.learnt()
    assert (second.problem, second.model_version, third.model_version) == ("iris", 2, 3)
    assert third.last_received < between <= second.last_received

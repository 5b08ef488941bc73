"""Corrections that somebody takes back are learnt no more, and each withdrawal is closed once."""

from dataclasses import replace
from uuid import uuid4

import pytest

from common.store import Store
from common.store.trust.withdrawals import MOST, UNLEARNT, Chosen
from tests.common.store.rows import prediction, suggestion


def add(store: Store, *names: str, source: str | None = None) -> None:
    for name in names:
        store.suggestions.add(suggestion(name, source=source))


def write_rows(store: Store, *names: str) -> None:
    for row, name in enumerate(names):
        store.suggestions.reserve_row(replace(suggestion(name), row_number=row))
    store.suggestions.row_written(*names)


def withdraw(store: Store, *names: str, erase: bool = False) -> int:
    return store.trust.withdrawals.request("iris", names, str(uuid4()), "review key", "a mistake", erase=erase)


def state(store: Store, name: str) -> str:
    found = store.suggestions.get(name)
    assert found
    return found.state


def test_a_withdrawn_correction_is_learnt_no_more(store: Store) -> None:
    add(store, "a", "b")
    withdraw(store, "a")
    assert state(store, "a") == "withdrawn"
    assert [each.id for each in store.suggestions.without_row("iris", 9)] == ["b"]
    [found] = store.trust.withdrawals.open("iris")
    assert (found.suggestion_id, found.actor, found.reason) == ("a", "review key", "a mistake")
    last = store.trust.events.of("a")[-1]
    assert (last.state, last.actor, last.reason) == ("withdrawn", "review key", "a mistake")


def test_a_second_withdrawal_changes_nothing(store: Store) -> None:
    add(store, "a")
    assert [withdraw(store, "a"), withdraw(store, "a")] == [1, 0]
    assert len(store.trust.withdrawals.newest("iris", 9)) == 1
    assert [each.state for each in store.trust.events.of("a")] == ["received", "withdrawn"]


def test_a_correction_that_was_stopped_before_any_version_learnt_it_is_done_with_at_once(store: Store) -> None:
    add(store, "refused", "quarantined", "learnt", "waits")
    store.suggestions.refused(["refused"], "no")
    store.suggestions.trained(["learnt"], 2)
    store.suggestions.quarantine(["quarantined", "learnt"], "odd")
    withdraw(store, "refused", "quarantined", "learnt", "waits")
    assert {each.suggestion_id for each in store.trust.withdrawals.open("iris")} == {"learnt", "waits"}
    closed = [each for each in store.trust.withdrawals.newest("iris", 9) if each.closed_at]
    assert {(each.suggestion_id, each.outcome) for each in closed} == {("refused", UNLEARNT), ("quarantined", UNLEARNT)}


def test_a_withdrawal_is_closed_once_and_its_outcome_is_in_the_history(store: Store) -> None:
    add(store, "a")
    withdraw(store, "a")
    for outcome in ("first", "second"):
        store.trust.withdrawals.close("iris", {"a": outcome}, 3)
    [found] = store.trust.withdrawals.newest("iris", 9)
    assert (found.outcome, found.version) == ("first", 3)
    assert found.closed_at
    assert [each.reason for each in store.trust.events.of("a")] == [None, "a mistake", "first"]


def test_a_withdrawal_stays_open_while_the_file_has_its_row(store: Store) -> None:
    add(store, "a")
    withdraw(store, "a", erase=True)
    write_rows(store, "a")  # by a run that had read it before
    store.trust.withdrawals.close("iris", {"a": "done"}, 3)
    assert len(store.trust.withdrawals.open("iris")) == 1
    assert store.suggestions.get("a") == replace(
        suggestion("a"), row_number=0, written=True, withdrawn_because="a mistake"
    )
    store.suggestions.rows_removed(["a"])
    store.trust.withdrawals.close("iris", {"a": "done"}, 3)
    assert store.trust.withdrawals.open("iris") == []


def test_what_is_to_be_erased_goes_when_the_withdrawal_is_closed(store: Store) -> None:
    add(store, "a", "b", source="192.0.2.1")
    withdraw(store, "a", erase=True)
    withdraw(store, "b")
    store.trust.withdrawals.close("iris", dict.fromkeys("ab", "done"), None)
    erased, kept = store.suggestions.get("a"), store.suggestions.get("b")
    assert erased
    assert kept
    assert (erased.features, erased.class_name, erased.source) == ({}, "", None)
    assert (kept.features, kept.source) == (suggestion("b").features, "192.0.2.1")
    assert [each.actor for each in store.trust.events.of("a")] == ["erased", "review key", "lab"]


def test_erasing_opens_an_earlier_withdrawal_again(store: Store) -> None:
    add(store, "a")
    withdraw(store, "a")
    store.trust.withdrawals.close("iris", {"a": "done"}, 3)
    assert withdraw(store, "a", erase=True) == 0
    assert [each.erase for each in store.trust.withdrawals.open("iris")] == [True]
    store.trust.withdrawals.close("iris", {"a": "done"}, 3)
    withdraw(store, "a", erase=True)
    assert store.trust.withdrawals.open("iris") == []


@pytest.mark.parametrize(
    ("chosen", "ids"),
    [
        (Chosen(["b", "a"]), ["a", "b"]),
        (Chosen(source="192.0.2.1"), ["a", "b"]),
        (Chosen(version=2), ["b", "c"]),
        (Chosen(source="192.0.2.9"), []),
    ],
)
def test_corrections_are_chosen_by_id_by_client_or_by_version(store: Store, chosen: Chosen, ids: list[str]) -> None:
    add(store, "a", "b", source="192.0.2.1")
    add(store, "c", "d")
    store.suggestions.add(suggestion("other", "breast_cancer", source="192.0.2.1"))
    store.suggestions.trained(["b", "c"], 2)
    assert store.trust.withdrawals.find("iris", chosen).ids == ids


def test_unknown_ones_and_those_that_are_withdrawn_already_are_named(store: Store) -> None:
    add(store, "a", "b")
    withdraw(store, "a")
    found = store.trust.withdrawals.find("iris", Chosen(["a", "b", "nobody's"]))
    assert (found.ids, found.withdrawn, found.left, found.unknown) == (["b"], 1, 0, ["nobody's"])


def test_a_request_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST == 10_000
    monkeypatch.setattr("common.store.trust.withdrawals.MOST", 2)
    add(store, "a", "b", "c", source="192.0.2.1")
    found = store.trust.withdrawals.find("iris", Chosen(source="192.0.2.1"))
    assert (found.ids, found.left) == (["a", "b"], 1)


def test_one_flow_run_sees_to_all_that_are_open(store: Store) -> None:
    add(store, "a", "b", "c")
    withdraw(store, "a")
    store.trust.withdrawals.has_run("iris", "first", None)
    withdraw(store, "b")
    assert [each.flow_run_id for each in store.trust.withdrawals.open("iris")] == ["first", None]
    store.trust.withdrawals.has_run("iris", "other", None)
    assert [each.flow_run_id for each in store.trust.withdrawals.open("iris")] == ["first", "other"]
    store.trust.withdrawals.has_run("iris", "next", "first")
    assert {each.flow_run_id for each in store.trust.withdrawals.open("iris")} == {"other", "next"}


def test_released_corrections_wait_for_the_next_version(store: Store) -> None:
    add(store, "a", "b", "c")
    write_rows(store, "a", "b", "c")
    store.suggestions.trained(["a", "b"], 3, "judgement")
    store.suggestions.trained(["c"], 2, "judgement")
    withdraw(store, "b")
    store.trust.withdrawals.release("iris", [3], "version 3 was replaced")
    assert [state(store, name) for name in "abc"] == ["waiting", "withdrawn", "trained"]
    assert [each.id for each in store.suggestions.unjudged("iris")] == ["a"]
    assert store.trust.events.of("a")[-1].reason == "version 3 was replaced"


def remember(store: Store, version: int, *names: str) -> None:
    """Let a version be registered while the file has the rows of these corrections."""
    write_rows(store, *names)
    store.trust.versions.learnt("iris", version)
    store.suggestions.trained(list(names), version)


def test_the_versions_that_learnt_a_correction_are_known_with_their_answers(store: Store) -> None:
    add(store, "a", "b")
    remember(store, 2, "a")
    remember(store, 3, "b")
    store.predictions.write([prediction(str(number), version=2 + number // 3) for number in range(4)])
    assert store.trust.tainted.versions_of("iris", ["a"]) == {2: 3, 3: 1}
    assert store.trust.tainted.versions_of("iris", ["b"]) == {3: 1}
    assert store.trust.tainted.learnt("iris", ["a", "b", "c"]) == {"a", "b"}


def test_a_version_is_tainted_by_a_withdrawn_correction_only(store: Store) -> None:
    add(store, "a", "b")
    remember(store, 2, "a")
    remember(store, 3, "b")
    assert not store.trust.tainted.taint("iris", 2)
    withdraw(store, "b")
    assert [store.trust.tainted.taint("iris", version) for version in (2, 3, 4)] == [False, True, False]
    store.suggestions.rows_removed(["b"])
    store.trust.withdrawals.close("iris", {"b": "done"}, 4)
    assert store.trust.tainted.taint("iris", 3)


def test_withdrawals_are_open_again_for_a_version_that_serves_again(store: Store) -> None:
    add(store, "a", "b")
    remember(store, 2, "a")
    remember(store, 3, "b")
    withdraw(store, "a", "b")
    store.suggestions.rows_removed(["a", "b"])
    store.trust.withdrawals.close("iris", dict.fromkeys("ab", "done"), 4)
    store.trust.withdrawals.open_again("iris", 4)
    store.trust.withdrawals.open_again("breast_cancer", 2)
    assert [each.suggestion_id for each in store.trust.withdrawals.open("iris")] == ["a", "b"]


def test_of_older_versions_all_from_the_first_on_may_have_learnt_it(store: Store) -> None:
    add(store, "a", "b", "c")
    for version, name in ((2, "a"), (3, "b")):
        store.suggestions.trained([name], version)
    remember(store, 4, "c")
    withdraw(store, "b")
    assert store.trust.tainted.versions_of("iris", ["b"]) == {3: 0}
    assert [store.trust.tainted.taint("iris", version) for version in (2, 3, 4)] == [False, True, False]

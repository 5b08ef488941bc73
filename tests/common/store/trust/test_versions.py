"""The store knows all corrections that a version has learnt, not only those that were new to it."""

from common.store import Store
from tests.common.store.rows import suggestion


def in_file(store: Store, *names: str, problem: str = "iris") -> None:
    for name in names:
        store.suggestions.add(suggestion(name, problem))
    store.suggestions.row_written(*names)


def test_a_version_has_learnt_every_correction_whose_row_is_in_the_file(store: Store) -> None:
    in_file(store, "a", "b")
    store.suggestions.add(suggestion("waits outside"))
    in_file(store, "of another problem", problem="breast_cancer")
    store.trust.versions.learnt("iris", 2)
    in_file(store, "c")
    store.trust.versions.learnt("iris", 3)
    assert store.trust.versions.count("iris", [1, 2, 3]) == {2: 2, 3: 3}
    assert store.trust.versions.that_learnt("iris", ["a"]) == [2, 3]
    assert store.trust.versions.that_learnt("iris", ["c", "waits outside", "unknown"]) == [3]
    assert store.trust.versions.that_learnt("breast_cancer", ["of another problem"]) == []


def test_a_second_call_changes_nothing(store: Store) -> None:
    in_file(store, "a", "b")
    for _ in range(2):
        store.trust.versions.learnt("iris", 2)
        store.trust.versions.complete("iris", 2)
    assert store.trust.versions.count("iris", [2]) == {2: 2}


def test_a_correction_that_left_the_file_was_learnt_all_the_same(store: Store) -> None:
    in_file(store, "a", "b")
    store.trust.versions.learnt("iris", 2)
    store.suggestions.refused(["a"], "no")
    store.suggestions.rows_removed(["a"])
    store.trust.versions.learnt("iris", 3)
    assert store.trust.versions.that_learnt("iris", ["a"]) == [2]


def test_a_version_of_another_registry_is_forgotten_when_its_number_comes_again(store: Store) -> None:
    in_file(store, "a")
    store.trust.versions.learnt("iris", 2)
    store.suggestions.rows_removed(["a"])
    in_file(store, "b")
    store.trust.versions.learnt("iris", 2)
    assert store.trust.versions.that_learnt("iris", ["a"]) == []
    assert store.trust.versions.that_learnt("iris", ["b"]) == [2]


def test_a_version_that_is_found_again_keeps_the_corrections_that_it_has(store: Store) -> None:
    in_file(store, "a")
    store.trust.versions.learnt("iris", 2)
    store.suggestions.rows_removed(["a"])
    in_file(store, "the same row, sent again")
    store.trust.versions.complete("iris", 2)
    assert store.trust.versions.that_learnt("iris", ["a"]) == [2]
    assert store.trust.versions.that_learnt("iris", ["the same row, sent again"]) == []

"""Each change of a correction's state is remembered once, with its time, its actor and its reason."""

from datetime import UTC, datetime

from common.store import Store
from common.store.trust.reviews import CorrectionReview
from tests.common.store.rows import suggestion
from tests.common.store.test_suggestions import write


def history(store: Store, name: str) -> list[tuple[str, str, str | None]]:
    return [(each.state, each.actor, each.reason) for each in store.trust.events.of(name)]


def test_the_way_of_a_correction_into_a_version_is_remembered_in_order(store: Store) -> None:
    before = datetime.now(UTC)
    store.suggestions.add(suggestion("a", source="192.0.2.1"))
    store.suggestions.delivered("a", "run")
    store.suggestions.row_written("a")
    store.suggestions.trained(["a"], 2)
    assert history(store, "a") == [
        ("received", "192.0.2.1", None),
        ("waiting", "lab", None),
        ("trained", "lab", "version 2"),
    ]
    moments = [each.at for each in store.trust.events.of("a")]
    assert moments == sorted(moments)
    assert before <= moments[0] <= moments[-1] <= datetime.now(UTC)


def test_a_step_that_is_made_again_is_remembered_once(store: Store) -> None:
    for _ in range(2):
        store.suggestions.add(suggestion("a"))
    for _ in range(2):
        store.suggestions.quarantine(["a"], "it looks odd")
    store.suggestions.refused(["a"], "no")
    store.suggestions.quarantine(["a"], "it looks odd")
    assert [state for state, _, _ in history(store, "a")] == ["received", "quarantined", "refused", "quarantined"]


def test_only_the_corrections_that_change_have_the_change_in_their_history(store: Store) -> None:
    for name in "ab":
        store.suggestions.add(suggestion(name))
    store.suggestions.refused(["b", "unknown"], "no")
    assert history(store, "a") == [("received", "lab", None)]
    assert history(store, "b") == [("received", "lab", None), ("refused", "lab", "no")]
    assert history(store, "unknown") == []


def test_a_correction_that_comes_with_a_ground_truth_is_remembered(store: Store) -> None:
    store.correct(suggestion("a", source="key"))
    assert history(store, "a") == [("received", "key", None)]


def test_it_is_remembered_which_version_corrections_were_trained_in_when_they_wait_again(store: Store) -> None:
    write(store, "ab")
    store.suggestions.trained(["a"], 2)
    store.suggestions.quarantine(["a"], "version 2 had learnt it, and was taken back")
    store.trust.reviews.decide("iris", ["a"], CorrectionReview("approved", "review key"))
    assert [each.id for each in store.suggestions.waiting("iris")] == ["a", "b"]
    assert store.trust.events.were_trained(["a", "b"], 2)
    assert not store.trust.events.were_trained(["b"], 2)
    assert not store.trust.events.were_trained(["a", "b"], 3)
    assert not store.trust.events.were_trained([], 2)

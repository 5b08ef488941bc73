"""The figures of vetting and review, for metrics."""

from datetime import UTC, datetime, timedelta

from common.store import Store
from common.store.trust.review_figures import OutcomeCount, VettedShare
from common.store.trust.tables import correction_events
from tests.common.store.trust.test_reviews import APPROVE, REJECT, add, decide, vet


def hours(number: float) -> datetime:
    return datetime.now(UTC) - timedelta(hours=number)


def test_corrections_are_counted_by_outcome_and_rule(store: Store) -> None:
    add(store, "abcdef")
    for name, rule in zip("abc", ("outlier", "outlier", "quota"), strict=True):
        vet(store, name, rule)
    vet(store, "d", "none", "passed")
    decide(store, "a", REJECT)
    assert store.trust.review_figures.outcomes() == [
        OutcomeCount("iris", "passed", "none", 1),
        OutcomeCount("iris", "quarantined", "outlier", 1),
        OutcomeCount("iris", "quarantined", "quota", 1),
        OutcomeCount("iris", "rejected", "outlier", 1),
    ]


def test_the_age_of_the_queue_counts_from_quarantine_and_not_from_the_arrival(store: Store) -> None:
    add(store, "abc")
    assert store.trust.review_figures.queues() == []
    for name in "ab":
        vet(store, name)
    first = store.trust.events.of("a")[-1].at
    with store._database.writing() as connection:
        event = correction_events.c
        connection.execute(
            correction_events.update().where(event.suggestion_id == "a", event.state == "received").values(at=hours(48))
        )
    [queue] = store.trust.review_figures.queues()
    assert (queue.problem, queue.corrections, queue.since) == ("iris", 2, first)
    decide(store, "a")
    [queue] = store.trust.review_figures.queues()
    assert (queue.corrections, queue.since) == (1, store.trust.events.of("b")[-1].at)


def test_a_correction_that_comes_into_quarantine_again_waits_from_then_on(store: Store) -> None:
    add(store, "a")
    vet(store, "a")
    decide(store, "a")
    store.suggestions.quarantine(["a"], "version 2 had learnt it, and was taken back")
    [queue] = store.trust.review_figures.queues()
    assert queue.since == store.trust.events.of("a")[-1].at > store.trust.events.of("a")[1].at


def test_the_share_in_quarantine_counts_what_was_vetted_since_whatever_a_reviewer_did(store: Store) -> None:
    add(store, "abcdeo")
    for name in "ab":
        vet(store, name)
    vet(store, "c", "none", "passed")
    vet(store, "d", vetted_at=hours(2))
    vet(store, "o", problem="other")
    decide(store, "a", APPROVE)
    assert store.trust.review_figures.share("iris", hours(1)) == VettedShare(3, 2)
    assert store.trust.review_figures.share("iris", hours(-1)) == VettedShare(0, 0)

"""The queue of corrections in quarantine, and reviews: each correction is decided once, with one history."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from common.store import Store
from common.store.suggestions import STATES, State
from common.store.tables import suggestions
from common.store.trust.review_figures import VettedShare
from common.store.trust.reviews import ROLL_BACK, CorrectionList, CorrectionReview, Decision, VettedCorrection
from common.store.trust.tables import vettings
from tests.common.store.rows import NOON, suggestion
from tests.common.store.test_suggestions import due, get, ids, write
from tests.common.store.trust.test_history import history

APPROVE, REJECT = (CorrectionReview(each, "review key", "I looked") for each in ("approved", "rejected"))


def vet(store: Store, name: str, rule: str = "outlier", outcome: str = "quarantined", **values: Any) -> None:
    """Write the vetting of a correction, and quarantine it if that is the outcome."""
    row = {"suggestion_id": name, "problem": "iris", "vetted_at": datetime.now(UTC), "outcome": outcome, "rule": rule}
    with store._database.writing() as connection:
        connection.execute(vettings.insert().values(row | {"number": 0.25, "details": {"answer": "x"}} | values))
    if outcome == "quarantined":
        store.suggestions.quarantine([name], f"it looks odd: {rule} 0.25")


def add(store: Store, names: str, **values: Any) -> None:
    for name in names:
        store.suggestions.add(suggestion(name, **values))


def page(store: Store, state: State = "quarantined", limit: int = 100, **values: Any) -> list[str]:
    found = store.trust.reviews.page("iris", CorrectionList(state, limit, **values))
    return [each.suggestion.id for each in found]


def one(store: Store, name: str) -> VettedCorrection:
    found = store.trust.reviews.get("iris", name)
    assert found is not None
    return found


def decide(store: Store, names: str, review: CorrectionReview = APPROVE) -> list[str]:
    return [each.result for each in store.trust.reviews.decide("iris", names, review)]


def test_the_queue_has_the_corrections_in_quarantine_oldest_first_page_by_page(store: Store) -> None:
    add(store, "ecabdx")
    add(store, "o", problem="other")
    for name in "bcade":
        vet(store, name)
    assert page(store) == list("ecabd")
    pages, after = [], None
    while found := store.trust.reviews.page("iris", CorrectionList(limit=2, after=after)):
        pages.append([each.suggestion.id for each in found])
        after = found[-1].place
    assert pages == [["e", "c"], ["a", "b"], ["d"]]


def test_corrections_of_the_same_moment_are_neither_left_out_nor_shown_twice(store: Store) -> None:
    add(store, "cabd")
    store.suggestions.quarantine(list("abcd"), "no")
    with store._database.writing() as connection:
        connection.execute(suggestions.update().values(received_at=NOON))
    first = store.trust.reviews.page("iris", CorrectionList(limit=3))
    assert [each.suggestion.id for each in first] == list("abc")
    assert page(store, after=first[-1].place) == ["d"]


def test_a_decision_between_two_pages_leaves_no_correction_out(store: Store) -> None:
    add(store, "abcd")
    store.suggestions.quarantine(list("abcd"), "no")
    first = store.trust.reviews.page("iris", CorrectionList(limit=2))
    decide(store, "ab")
    assert page(store, after=first[-1].place) == ["c", "d"]


def test_every_state_can_be_listed(store: Store) -> None:
    write(store, "wtqrx")
    add(store, "nd")
    store.suggestions.delivered("d", "run")
    store.suggestions.trained(["t", "q", "r", "x"], 2)
    store.suggestions.quarantine(["q", "x"], "no")
    store.suggestions.refused(["r"], "no")
    with store._database.writing() as connection:
        store.suggestions.change(connection, suggestions.c.id == "x", withdrawn_because="mine")
    listed = {state: page(store, state) for state in STATES}
    assert listed == {
        "received": ["n"],
        "delivered": ["d"],
        "waiting": ["w"],
        "trained": ["t"],
        "refused": ["r"],
        "quarantined": ["q"],
        "withdrawn": ["x"],
    }
    assert all(get(store, name).state == state for state, names in listed.items() for name in names)


def test_the_queue_is_narrowed_by_rule_and_by_source(store: Store) -> None:
    add(store, "ab", source="192.0.2.1")
    add(store, "cd", source="key")
    vet(store, "a", "outlier")
    vet(store, "b", "quota")
    vet(store, "c", "outlier")
    vet(store, "d", "none", "passed")
    store.suggestions.quarantine(["d"], "version 2 had learnt it, and was taken back")
    assert page(store, rule="outlier") == ["a", "c"]
    assert page(store, rule=ROLL_BACK) == ["d"]
    assert page(store, rule="none") == []
    assert page(store, source="192.0.2.1") == ["a", "b"]
    assert page(store, rule="outlier", source="key") == ["c"]


def test_a_correction_is_shown_with_its_vetting(store: Store) -> None:
    add(store, "ab")
    vet(store, "a")
    found = one(store, "a")
    assert (found.rule, found.number, found.details, found.outcome) == ("outlier", 0.25, {"answer": "x"}, "quarantined")
    assert found.reason == "it looks odd: outlier 0.25"
    unvetted = one(store, "b")
    assert (unvetted.rule, unvetted.details, unvetted.outcome, unvetted.reason) == (None, None, None, None)
    assert store.trust.reviews.get("other", "a") is None


def test_an_approved_correction_is_delivered_again_and_was_approved_by_somebody(store: Store) -> None:
    add(store, "a")
    store.suggestions.delivery_failed("a", "Prefect was away", datetime.now(UTC) + timedelta(days=1))
    store.suggestions.delivered("a", "run")
    vet(store, "a")
    assert due(store) == []
    assert decide(store, "a") == ["decided"]
    found = one(store, "a")
    assert (found.suggestion.state, found.suggestion.attempts, due(store)) == ("received", 0, ["a"])
    assert (found.outcome, found.reviewer, found.note, found.rule) == ("approved", "review key", "I looked", "outlier")
    assert history(store, "a")[-1] == ("approved", "review key", "I looked")
    assert page(store) == []


def test_a_rejected_correction_is_refused_and_never_delivered(store: Store) -> None:
    add(store, "a")
    vet(store, "a")
    assert decide(store, "a", REJECT) == ["decided"]
    assert (get(store, "a").state, get(store, "a").refused_because) == ("refused", "a reviewer rejected it: I looked")
    assert (one(store, "a").outcome, due(store)) == ("rejected", [])
    assert history(store, "a")[-1] == ("rejected", "review key", "I looked")


@pytest.mark.parametrize("removed", [True, False])
def test_what_a_version_that_was_taken_back_had_learnt_can_be_approved(store: Store, *, removed: bool) -> None:
    write(store, "a")
    store.suggestions.delivered("a", "run")
    store.suggestions.trained(["a"], 2, "judgement")
    store.suggestions.quarantine(["a"], "version 2 had learnt it, and was taken back")
    if removed:
        store.suggestions.rows_removed(["a"])
    assert decide(store, "a") == ["decided"]
    if removed:
        assert due(store) == ["a"]
    else:
        # The file still has the row: a delivery would add it a second time.
        assert (due(store), ids(store.suggestions.unjudged("iris"))) == ([], ["a"])
        assert get(store, "a").flow_run_id == "run"
    assert (get(store, "a").trained_version, get(store, "a").judgement_id) == (None, None)
    assert (one(store, "a").outcome, one(store, "a").rule) == ("approved", ROLL_BACK)


def test_the_row_of_an_approved_correction_that_was_never_vetted_is_still_compared_with_others(store: Store) -> None:
    write(store, "ab")
    store.suggestions.quarantine(["a"], "version 2 had learnt it, and was taken back")
    decide(store, "a")
    vet(store, "b", "none", "passed", row_key="key")
    assert ids(store.trust.vettings.never_vetted("iris")) == ["a"]


def test_a_correction_that_comes_into_quarantine_again_can_be_decided_again(store: Store) -> None:
    add(store, "a")
    vet(store, "a")
    decide(store, "a")
    store.suggestions.row_written("a")
    store.suggestions.trained(["a"], 2)
    store.suggestions.quarantine(["a"], "version 2 had learnt it, and was taken back")
    assert one(store, "a").rule == ROLL_BACK
    assert decide(store, "a", REJECT) == ["decided"]
    assert (one(store, "a").outcome, one(store, "a").rule, one(store, "a").number) == ("rejected", ROLL_BACK, None)
    assert [state for state, _, _ in history(store, "a")] == [
        "received", "quarantined", "approved", "waiting", "trained", "quarantined", "rejected",
    ]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), [(APPROVE, REJECT), (REJECT, APPROVE)])
def test_the_first_decision_holds(store: Store, first: CorrectionReview, second: CorrectionReview) -> None:
    add(store, "ab")
    for name in "ab":
        vet(store, name)
    decide(store, "a", first)
    before = one(store, "a"), history(store, "a")
    assert decide(store, "aba", second) == ["decided otherwise", "decided"]
    assert decide(store, "a", first) == ["decided before"]
    assert (one(store, "a"), history(store, "a")) == before
    assert one(store, "b").outcome == second.decision


def test_only_corrections_in_quarantine_are_decided(store: Store) -> None:
    write(store, "a")
    vet(store, "a", "none", "passed")
    add(store, "b", problem="other")
    store.suggestions.quarantine(["b"], "no")
    assert decide(store, "abc") == ["not in quarantine", "unknown", "unknown"]
    assert (get(store, "a").state, get(store, "b").state) == ("waiting", "quarantined")


def test_a_withdrawn_correction_is_in_no_queue_and_not_decided(store: Store) -> None:
    add(store, "a")
    vet(store, "a")
    with store._database.writing() as connection:
        store.suggestions.change(connection, suggestions.c.id == "a", withdrawn_because="mine")
    assert (page(store), decide(store, "a")) == ([], ["not in quarantine"])
    assert get(store, "a").state == "withdrawn"


def test_two_reviewers_at_once_make_one_history(store: Store) -> None:
    names = "abcdefghij"
    add(store, names)
    for name in names:
        vet(store, name)
    decisions: list[Decision] = ["approved", "rejected"] * 4
    with ThreadPoolExecutor(8) as pool:
        reviews = [CorrectionReview(each, f"reviewer {number}") for number, each in enumerate(decisions)]
        results = list(pool.map(lambda review: decide(store, names, review), reviews))
    won = [result for result in results if "decided" in result]
    assert won == [["decided"] * len(names)]
    reviewer = f"reviewer {results.index(won[0])}"
    for name in names:
        assert [state for state, _, _ in history(store, name)][:2] == ["received", "quarantined"]
        assert [actor for _, actor, _ in history(store, name)][2:] == [reviewer]
        assert one(store, name).reviewer == reviewer


MANY = 100_000
MOMENTS = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f000', '2026-03-01 12:00:00', (i / 1000.0) || ' seconds')",
    "postgresql": "TIMESTAMPTZ '2026-03-01 12:00:00+00' + i * INTERVAL '1 millisecond'",
}
# Corrections that came a millisecond apart; one in a thousand is in quarantine by another rule.
FILL = """
INSERT INTO {table} ({columns})
WITH RECURSIVE numbers(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i < {last})
SELECT {values} FROM numbers
"""
ROWS = {
    "suggestions": {
        "id": "'c' || i", "problem": "'iris'", "features": "'{}'", "class_name": "'Iris-setosa'", "received_at": "AT",
        "attempts": "0", "next_attempt_at": "AT", "written": "FALSE", "quarantined_because": "'odd'",
    },
    "vettings": {
        "suggestion_id": "'c' || i", "problem": "'iris'", "vetted_at": "AT", "outcome": "'quarantined'",
        "rule": "CASE i WHEN (i / 1000) * 1000 + 7 THEN 'quota' ELSE 'outlier' END", "details": "'{}'",
    },
    "correction_events": {"suggestion_id": "'c' || i", "at": "AT", "state": "'quarantined'", "actor": "'lab'"},
}  # fmt: skip


@pytest.fixture
def crowded(store: Store) -> Store:
    """A store with 100 000 corrections in quarantine."""
    engine = store._database._engine
    with engine.begin() as connection:
        for table, row in ROWS.items():
            values = ", ".join(row.values()).replace("AT", MOMENTS[engine.dialect.name])
            filled = FILL.format(table=table, columns=", ".join(row), last=MANY - 1, values=values)
            connection.exec_driver_sql(filled)
        connection.exec_driver_sql("ANALYZE")
    return store


def plan(store: Store, question: Callable[[], object]) -> str:
    """Return the database's plan for the query of a question."""
    engine, asked = store._database._engine, list[Any]()

    def note(*given: Any) -> None:
        asked.append(given[2:4])

    sa.event.listen(engine, "before_cursor_execute", note)
    question()
    sa.event.remove(engine, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    with engine.connect() as connection:
        statement, values = asked[-1]
        return " ".join(map(str, connection.exec_driver_sql(f"{explain} {statement}", values).all()))


def seconds(question: Callable[[], object]) -> float:
    """Return the shortest of three times that a question takes."""
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        question()
        times.append(time.perf_counter() - begun)
    return min(times)


def test_a_page_of_a_hundred_thousand_costs_little_at_every_place_of_the_queue(crowded: Store) -> None:
    reviews = crowded.trust.reviews
    places = [None, *(one(crowded, f"c{number}").place for number in (MANY // 2, MANY - 201))]
    pages = [reviews.page("iris", CorrectionList(limit=200, after=place)) for place in places]
    assert [len(found) for found in pages] == [200] * 3
    assert [found[0].suggestion.id for found in pages] == ["c0", f"c{MANY // 2 + 1}", f"c{MANY - 200}"]
    for place in places:
        wanted = CorrectionList(limit=50, after=place)
        assert "ix_suggestions_in_quarantine" in plan(crowded, lambda: reviews.page("iris", wanted))  # noqa: B023
        assert seconds(lambda: reviews.page("iris", wanted)) < 0.5  # noqa: B023
    assert len(reviews.page("iris", CorrectionList(limit=101, rule="quota"))) == MANY // 1000
    assert seconds(lambda: reviews.page("iris", CorrectionList(limit=50, rule="none"))) < 2.0


def test_the_figures_of_a_hundred_thousand_cost_little(crowded: Store) -> None:
    figures = crowded.trust.review_figures
    [queue] = figures.queues()
    assert (queue.corrections, queue.since) == (MANY, NOON.replace(microsecond=0))
    assert [each.corrections for each in figures.outcomes()] == [MANY - MANY // 1000, MANY // 1000]
    assert figures.share("iris", NOON.replace(microsecond=0)) == VettedShare(MANY, MANY)
    for question in (figures.queues, figures.outcomes, lambda: figures.share("iris", datetime.now(UTC))):
        assert seconds(question) < 2.0

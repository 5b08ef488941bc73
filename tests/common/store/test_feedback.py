"""Feedback counts once for the champion and the challenger, in any order, and can be replaced."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from common.store import Store, StoreError
from common.store.feedback import ContradictionError, UnknownPredictionError
from common.store.statistics import Paired, Span
from common.store.tables import Role, feedback
from tests.common.store.recount import assert_counted
from tests.common.store.rows import MODEL, SETOSA, VERSICOLOR, VIRGINICA, prediction, shadow, suggestion


def labels(store: Store, role: Role = "champion") -> Mapping[tuple[str, str], int]:
    """The cells of the only version in a role that are not zero."""
    [cells] = [live.labels for live in store.statistics.live("iris", MODEL) if live.role == role]
    return {(cell.true_class, cell.predicted_class): cell.labels for cell in cells}


def pairs(store: Store) -> Paired:
    return store.statistics.paired(Span("iris", MODEL), 1, 2)


def truths(store: Store) -> dict[str, str]:
    found = store._database.read(sa.select(feedback.c.prediction_id, feedback.c.class_name))
    return {row["prediction_id"]: row["class_name"] for row in found}


def trusted_pairs(store: Store) -> Paired:
    return store.trials.paired_truths("iris", MODEL, 1, 2, trusted_only=True)


def senders(store: Store) -> dict[str, tuple[str | None, bool]]:
    found = store._database.read(sa.select(feedback))
    return {row["prediction_id"]: (row["source"], row["trusted"]) for row in found}


def replaced(store: Store) -> list[bool]:
    return [row["replaced_at"] is not None for row in store._database.read(sa.select(feedback.c.replaced_at))]


def test_a_ground_truth_is_kept_and_counted(store: Store) -> None:
    store.predictions.write([prediction("a", VERSICOLOR), prediction("b")])
    store.feedback.give("a", SETOSA)
    assert [found.truth for name in "ab" for found in store.predictions.get(name)] == [SETOSA, None]
    assert labels(store) == {(SETOSA, VERSICOLOR): 1}
    assert replaced(store) == [False]


def test_the_same_feedback_again_and_a_contradiction_change_nothing(store: Store) -> None:
    store.predictions.write([prediction("a"), shadow("a")])
    store.feedback.give("a", SETOSA)
    first = assert_counted(store)
    store.feedback.give("a", SETOSA)
    store.feedback.give("a", SETOSA, replace=True)
    with pytest.raises(ContradictionError, match="prediction a is known as Iris-setosa"):
        store.feedback.give("a", VERSICOLOR)
    assert truths(store) == {"a": SETOSA}
    assert assert_counted(store) == first
    assert replaced(store) == [False]


def test_a_replacement_corrects_the_counts(store: Store) -> None:
    store.predictions.write([prediction("a"), prediction("b"), shadow("a", VIRGINICA), shadow("b")])
    store.feedback.give("b", SETOSA)
    before = labels(store), labels(store, "shadow"), pairs(store)
    store.feedback.give("a", VERSICOLOR)
    assert pairs(store) == Paired(both_right=1, both_wrong=1)
    store.feedback.give("a", VIRGINICA, replace=True)
    assert truths(store) == {"a": VIRGINICA, "b": SETOSA}
    assert labels(store) == {**before[0], (VIRGINICA, SETOSA): 1}
    assert labels(store, "shadow") == {**before[1], (VIRGINICA, VIRGINICA): 1}
    assert pairs(store) == Paired(both_right=1, only_challenger_right=1)
    assert sorted(replaced(store)) == [False, True]
    assert_counted(store)


def test_a_first_message_may_say_that_it_replaces(store: Store) -> None:
    store.predictions.write([prediction("a")])
    store.feedback.give("a", SETOSA, replace=True)
    assert labels(store) == {(SETOSA, SETOSA): 1}
    assert replaced(store) == [False]


def test_feedback_about_an_unknown_prediction_is_not_kept(store: Store) -> None:
    with pytest.raises(UnknownPredictionError, match="no prediction none"):
        store.feedback.give("none", SETOSA)
    assert truths(store) == {}
    store.predictions.write([prediction("none")])
    assert labels(store) == {}


@pytest.mark.parametrize(
    "order",
    [("champion", "shadow", "feedback"), ("champion", "feedback", "shadow"), ("shadow", "feedback", "champion")],
)
@pytest.mark.parametrize("known", [VERSICOLOR, VIRGINICA])
def test_champion_and_challenger_are_counted_and_paired_in_any_order(
    store: Store, order: tuple[str, ...], known: str
) -> None:
    for step in order:
        assert pairs(store) == Paired()
        if step == "feedback":
            store.feedback.give("a", known)
            store.feedback.give("a", VERSICOLOR, replace=True)
        else:
            store.predictions.write([prediction("a")] if step == "champion" else [shadow("a", VERSICOLOR)])
    assert labels(store) == {(VERSICOLOR, SETOSA): 1}
    assert labels(store, "shadow") == {(VERSICOLOR, VERSICOLOR): 1}
    assert pairs(store) == Paired(only_challenger_right=1)
    assert_counted(store)


@pytest.mark.parametrize("step", [timedelta(days=1), timedelta(days=-400)])
def test_a_label_counts_for_the_day_of_the_prediction_wherever_the_clock_has_gone(
    store: Store, step: timedelta
) -> None:
    then = datetime.now(UTC) + step
    store.predictions.write([prediction("a", at=then)])
    store.feedback.give("a", SETOSA)
    assert [key[4] for key in assert_counted(store).labels] == [then.date()]
    store.feedback.give("a", VIRGINICA, replace=True)
    assert labels(store) == {(VIRGINICA, SETOSA): 1}


def test_new_predictions_are_kept_together_with_their_ground_truths(store: Store) -> None:
    rows = [prediction("a"), prediction("b", VERSICOLOR)]
    store.known_rows.write(rows, [SETOSA, VIRGINICA])
    assert truths(store) == {"a": SETOSA, "b": VIRGINICA}
    assert [found.row for name in "ab" for found in store.predictions.get(name)] == rows
    assert labels(store) == {(SETOSA, SETOSA): 1, (VIRGINICA, VERSICOLOR): 1}
    assert_counted(store)


def test_new_predictions_and_ground_truths_are_all_kept_or_none(store: Store) -> None:
    bad = prediction("b") | {"class_name": None}
    with pytest.raises(StoreError):
        store.known_rows.write([prediction("a"), bad], [SETOSA, SETOSA])  # type: ignore[list-item]
    assert (truths(store), store.predictions.get("a")) == ({}, [])
    with pytest.raises(ValueError, match="shorter"):
        store.known_rows.write([prediction("a"), prediction("b")], [SETOSA])
    assert (truths(store), store.predictions.get("a")) == ({}, [])


def test_a_correction_of_a_prediction_is_its_ground_truth_too(store: Store) -> None:
    store.predictions.write([prediction("a", VERSICOLOR)])
    given = suggestion("s", prediction_id="a")
    for _ in range(2):
        store.correct(given)
    assert store.suggestions.get("s") == given
    assert labels(store) == {(SETOSA, VERSICOLOR): 1}


def test_a_correction_without_a_prediction_is_no_feedback(store: Store) -> None:
    store.correct(suggestion("s"))
    assert store.suggestions.get("s") == suggestion("s")
    assert truths(store) == {}


def test_a_correction_of_an_unknown_prediction_is_not_kept(store: Store) -> None:
    with pytest.raises(UnknownPredictionError):
        store.correct(suggestion("s", prediction_id="none"))
    assert (store.suggestions.get("s"), truths(store)) == (None, {})


def test_a_correction_that_contradicts_is_kept_only_as_a_replacement(store: Store) -> None:
    store.predictions.write([prediction("a", VERSICOLOR)])
    store.feedback.give("a", VIRGINICA)
    with pytest.raises(ContradictionError):
        store.correct(suggestion("s", prediction_id="a"))
    assert (store.suggestions.get("s"), truths(store)) == (None, {"a": VIRGINICA})
    store.correct(suggestion("s", prediction_id="a"), replace=True)
    assert store.suggestions.get("s") is not None
    assert labels(store) == {(SETOSA, VERSICOLOR): 1}


def test_a_ground_truth_is_not_kept_without_its_correction(store: Store) -> None:
    store.predictions.write([prediction("a", VERSICOLOR)])
    with store._database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE suggestions RENAME TO away")
    with pytest.raises(StoreError):
        store.correct(suggestion("s", prediction_id="a"))
    assert (truths(store), labels(store)) == ({}, {})


def test_a_ground_truth_has_its_source_and_whether_it_is_trusted(store: Store) -> None:
    store.predictions.write([prediction("a"), prediction("b"), prediction("c")])
    store.feedback.give("a", SETOSA)
    store.feedback.give("b", SETOSA, source="10.0.0.7")
    store.correct(replace(suggestion("s", prediction_id="c"), source="key", trusted=True))
    store.known_rows.write([prediction("d")], [SETOSA], source="key", trusted=True)
    keyed = ("key", True)
    assert senders(store) == {"a": (None, False), "b": ("10.0.0.7", False), "c": keyed, "d": keyed}
    kept = store.suggestions.get("s")
    assert kept is not None
    assert (kept.source, kept.trusted) == keyed


def test_a_trusted_replacement_takes_away_what_an_untrusted_ground_truth_counted(store: Store) -> None:
    store.predictions.write([prediction("a"), shadow("a", VIRGINICA)])
    store.feedback.give("a", SETOSA, source="10.0.0.7")
    assert (pairs(store), trusted_pairs(store)) == (Paired(only_champion_right=1), Paired())
    store.feedback.give("a", VIRGINICA, replace=True, source="key", trusted=True)
    assert pairs(store) == trusted_pairs(store) == Paired(only_challenger_right=1)
    store.feedback.give("a", SETOSA, replace=True, source="10.0.0.7")
    assert (pairs(store), trusted_pairs(store)) == (Paired(only_champion_right=1), Paired())
    assert senders(store) == {"a": ("10.0.0.7", False)}
    assert_counted(store)


def test_an_untrusted_ground_truth_is_trusted_once_somebody_with_the_key_confirms_it(store: Store) -> None:
    store.predictions.write([prediction("a"), shadow("a", VIRGINICA)])
    store.feedback.give("a", SETOSA, source="10.0.0.7")
    before = labels(store), pairs(store)
    store.feedback.give("a", SETOSA, source="key", trusted=True)
    store.feedback.give("a", SETOSA, source="10.0.0.7")
    assert (labels(store), pairs(store)) == before
    assert trusted_pairs(store) == Paired(only_champion_right=1)
    assert (senders(store), replaced(store)) == ({"a": ("key", True)}, [False])
    assert_counted(store)


def test_a_trusted_ground_truth_counts_as_trusted_when_the_challengers_row_comes_later(store: Store) -> None:
    store.predictions.write([prediction("a")])
    store.feedback.give("a", VIRGINICA, source="key", trusted=True)
    assert trusted_pairs(store) == Paired()
    store.predictions.write([shadow("a", VIRGINICA)])
    assert trusted_pairs(store) == Paired(only_challenger_right=1)
    assert_counted(store)

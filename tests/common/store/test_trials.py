"""Trials: which ground truths compare two versions, and what is written of them."""

from datetime import timedelta

from common.store import Store
from common.store.statistics import Paired
from tests.common.store.rows import MODEL, NOON, SETOSA, VERSICOLOR, VIRGINICA, prediction, shadow


def test_pairs_are_compared_on_all_days_on_trusted_truths_or_on_all(store: Store) -> None:
    answers = {"a": (SETOSA, SETOSA), "b": (SETOSA, VERSICOLOR), "c": (VERSICOLOR, SETOSA), "d": (VIRGINICA, VIRGINICA)}
    for number, (name, (first, second)) in enumerate(answers.items()):
        at = {"predicted_at": NOON - timedelta(days=number)}
        store.predictions.write([prediction(name, first) | at, shadow(name, second) | at])  # type: ignore[list-item]
        store.feedback.give(name, SETOSA, trusted=name in "bd")
    pair = "iris", MODEL, 1, 2
    assert store.trials.paired_truths(*pair, trusted_only=False) == Paired(1, 1, 1, 1)
    assert store.trials.paired_truths(*pair, trusted_only=True) == Paired(only_champion_right=1, both_wrong=1)
    assert store.trials.paired_truths("iris", MODEL, 2, 1, trusted_only=False) == Paired()

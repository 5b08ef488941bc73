"""In any order of events, the roll-ups equal a recount, and the confusion matrix equals scikit-learn's."""

import itertools
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
import sklearn.metrics
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common import evaluate
from common.store import Store
from common.store.feedback import ContradictionError, UnknownPredictionError
from common.store.predictions import PredictionRow
from common.store.statistics import LabelSum, Paired, Span
from common.store.tables import Role
from tests.common.store.recount import assert_counted
from tests.common.store.rows import CLASSES, MODEL, NOON, SETOSA, VERSICOLOR, prediction, shadow

# All examples use one store. Each example is a problem of its own in it.
on_one_store = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
numbers = itertools.count()


class Message(NamedTuple):
    """Feedback about a prediction, by its number."""

    number: int
    class_name: str
    replace: bool
    trusted: bool


Step = list[tuple[int, Role]] | Message


@dataclass
class Play:
    """Predictions, with `answers` by number and role, and steps that write some of them or give feedback."""

    classes: tuple[str, ...]
    answers: dict[tuple[int, Role], tuple[str, int, bool]]
    steps: list[Step]
    problem: str = field(default_factory=lambda: f"problem {next(numbers)}")

    def row(self, number: int, role: Role) -> PredictionRow:
        class_name, version, is_outlier = self.answers[number, role]
        at = NOON.replace(day=1 + number % 2)
        row = prediction(self.name(number), class_name, role=role, version=version, at=at, problem=self.problem)
        return row | {"is_outlier": is_outlier}

    def name(self, number: int) -> str:
        return f"{self.problem}-{number}"


@st.composite
def plays(draw: st.DrawFn) -> Play:
    classes = CLASSES[: draw(st.sampled_from([2, 3]))]
    roles: list[Role] = ["champion", "shadow"]
    keys = [(number, role) for number in range(draw(st.integers(1, 5))) for role in roles]
    answer = st.tuples(st.sampled_from(classes), st.integers(1, 2), st.booleans())
    batch = st.lists(st.sampled_from(keys), min_size=1, unique=True)
    truth = st.builds(Message, st.integers(0, keys[-1][0]), st.sampled_from(classes), st.booleans(), st.booleans())
    steps: list[Step] = draw(st.lists(st.one_of(batch, truth), min_size=1, max_size=15))
    return Play(classes, {key: draw(answer) for key in keys}, steps)


@dataclass
class Played:
    """The expected content of the store."""

    written: dict[tuple[int, Role], PredictionRow] = field(default_factory=dict)
    truths: dict[int, str] = field(default_factory=dict)

    def labelled(self, version: int, role: Role) -> tuple[list[str], list[str]]:
        """The true and the predicted classes of a version."""
        rows = [
            (self.truths[number], row["class_name"])
            for (number, its_role), row in self.written.items()
            if number in self.truths and (its_role, row["model_version"]) == (role, version)
        ]
        return [truth for truth, _ in rows], [predicted for _, predicted in rows]


def perform(play: Play, store: Store) -> Played:
    """Take the steps; the store must accept or refuse each by the steps before it."""
    played = Played()
    for step in play.steps:
        if isinstance(step, list):
            rows = {key: play.row(*key) for key in step}
            store.predictions.write(list(rows.values()))
            played.written |= rows
        else:
            give_feedback(play, store, played, step)
    return played


def give_feedback(play: Play, store: Store, played: Played, message: Message) -> None:
    """Give feedback; the store must accept or refuse it by the rules."""
    known = played.truths.get(message.number)
    give = partial(store.feedback.give, replace=message.replace, trusted=message.trusted)
    give = partial(give, play.name(message.number), message.class_name)
    if not {(message.number, "champion"), (message.number, "shadow")} & played.written.keys():
        with pytest.raises(UnknownPredictionError):
            give()
    elif known not in {None, message.class_name} and not message.replace:
        with pytest.raises(ContradictionError):
            give()
    else:
        give()
        played.truths[message.number] = message.class_name


@given(play=plays())
@on_one_store
def test_the_roll_ups_are_a_recount_in_any_order(play: Play, store: Store) -> None:
    played = perform(play, store)
    assert_counted(store)
    for (number, role), row in played.written.items():
        found = {each.row["role"]: each for each in store.predictions.get(play.name(number))}
        assert (found[role].row, found[role].truth) == (row, played.truths.get(number))
    live = store.statistics.live(play.problem, MODEL)
    assert sum(each.predictions for each in live) == len(played.written)


@given(play=plays())
@on_one_store
def test_the_live_confusion_matrix_is_that_of_scikit_learn(play: Play, store: Store) -> None:
    played = perform(play, store)
    live = store.statistics.live(play.problem, MODEL)
    assert [(each.model_version, each.role) for each in live] == sorted(
        {(row["model_version"], row["role"]) for row in played.written.values()}
    )
    for each in live:
        truth, predicted = played.labelled(each.model_version, each.role)
        expected = sklearn.metrics.confusion_matrix(truth, predicted, labels=play.classes) if truth else 0
        found = evaluate.matrix_of(each.labels, play.classes)
        np.testing.assert_array_equal(found, np.broadcast_to(expected, found.shape))


def test_the_newest_versions_are_those_that_answered_last(store: Store) -> None:
    # Version 1 serves again after version 3; its shadow has a version of its own.
    days = {1: NOON, 2: NOON, 3: NOON + timedelta(days=1)}
    store.predictions.write([prediction(f"{version}", version=version, at=at) for version, at in days.items()])
    again = NOON + timedelta(days=2)
    store.predictions.write([prediction("b", version=1, at=again), prediction("b", version=4, at=again, role="shadow")])
    store.predictions.write([prediction("c", version=9, at=again, problem="breast_cancer")])
    assert [store.statistics.newest_versions("iris", MODEL, most) for most in (1, 2, 3, 4, 5)] == [
        [4], [1, 4], [1, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4],
    ]  # fmt: skip
    assert [(each.model_version, each.role) for each in store.statistics.live("iris", MODEL, [1, 4])] == [
        (1, "champion"),
        (4, "shadow"),
    ]


def test_nothing_is_known_of_a_model_that_has_not_answered(store: Store) -> None:
    store.predictions.write([prediction("a"), prediction("b", problem="breast_cancer")])
    assert store.statistics.live("iris", "AnotherModel") == []
    assert store.statistics.paired(Span("iris", MODEL), 1, 2) == Paired()
    assert [live.predictions for live in store.statistics.live("iris", MODEL)] == [1]


def test_pairs_are_of_the_two_versions_that_are_asked_for(store: Store) -> None:
    right = {"both": (SETOSA, SETOSA), "first": (SETOSA, VERSICOLOR), "second": (VERSICOLOR, SETOSA)}
    for name, (first, second) in right.items():
        store.predictions.write([prediction(name, first), shadow(name, second)])
    store.predictions.write([prediction("other"), shadow("other", version=3)])
    store.predictions.write([prediction("alone"), prediction("unlabelled"), shadow("unlabelled")])
    for name in (*right, "other", "alone"):
        store.feedback.give(name, SETOSA)
    assert store.statistics.paired(Span("iris", MODEL), 1, 2) == Paired(1, 1, 1, 0)
    assert store.statistics.paired(Span("iris", MODEL), 1, 3) == Paired(both_right=1)
    assert store.statistics.paired(Span("iris", MODEL), 2, 1) == Paired()


def test_only_classes_that_occur_in_the_labels_are_listed(store: Store) -> None:
    store.predictions.write([prediction("a"), prediction("b", "Iris-unlabelled")])
    for class_name in ("Iris-mistaken", VERSICOLOR):
        store.feedback.give("a", class_name, replace=True)
    [live] = store.statistics.live("iris", MODEL)
    assert live.labels == [LabelSum(1, "champion", VERSICOLOR, SETOSA, 1)]
    assert evaluate.classes_of((), live.labels) == (SETOSA, VERSICOLOR)


def test_a_version_whose_first_label_comes_while_statistics_are_read_does_no_harm(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = store._database.read
    late = [[prediction("new", version=2)]]
    store.known_rows.write([prediction("old")], [SETOSA])

    def read_while_others_write(query: sa.Select[Any]) -> list[sa.RowMapping]:
        found = read(query)
        while late:
            store.known_rows.write(late.pop(), [SETOSA])
        return found

    monkeypatch.setattr(store._database, "read", read_while_others_write)
    for live in store.statistics.live("iris", MODEL):
        assert sum(each.labels for each in live.labels) <= live.predictions
    assert not late

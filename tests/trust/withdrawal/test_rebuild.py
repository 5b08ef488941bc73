"""A withdrawn correction leaves the file and the versions in service; on a real MLflow and both databases."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import mlflow
import numpy as np
import pytest

from common.problem import Problem, get_problem
from common.registry import publish
from common.registry.client import ANCHOR, CHALLENGER, CHAMPION, Version
from common.settings import Settings
from common.store import Store
from common.store.suggestions import Suggestion
from finetune import finetune, gate
from tests.finetune.quick_lab import do_without_prefect, lengths, let_wait, one_way
from training.search import train
from trust.withdrawal.effects import LEARNT, REPLACES, TRAINED_ON
from trust.withdrawal.rebuild import end_withdrawals


@pytest.fixture(scope="session")
def problem(problem: Problem) -> Problem:
    """Iris, which learns in one way only here: that takes half the time."""
    return one_way(problem)


@pytest.fixture
def lab(settings: Settings, trained: Version, url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A lab with version 1, its store on either database, and steps that do without Prefect."""
    assert trained.number == 1
    do_without_prefect(monkeypatch)
    return settings.model_copy(update={"database_url": url})


@pytest.fixture
def store(lab: Settings) -> Iterator[Store]:
    opened = Store(lab.database_url)
    yield opened
    opened.close()


def learn(lab: Settings, problem: Problem, store: Store, numbers: Sequence[int]) -> list[Suggestion]:
    """Let a version learn corrections."""
    sent = let_wait(lab, problem, store, numbers)
    finetune._train(problem, lab, store)
    return sent


def withdraw(store: Store, *corrections: Suggestion, reason: str = "a mistake") -> None:
    ids = [each.id for each in corrections]
    store.trust.withdrawals.request("iris", ids, str(uuid4()), "review key", reason)


def end(lab: Settings, problem: Problem, store: Store) -> None:
    end_withdrawals(problem, lab, store, lambda _, function: function)


def aliases(lab: Settings) -> Mapping[str, int]:
    """Return the aliases, after a check that those of both models point at pairs."""
    client = mlflow.MlflowClient(lab.mlflow_uri)
    onnx, twins = (client.get_registered_model(name).aliases for name in ("IrisModel", "IrisDev"))
    assert {alias: twin_of(lab, int(number)) for alias, number in onnx.items()} == {
        alias: int(number) for alias, number in twins.items()
    }
    return {alias: int(number) for alias, number in onnx.items()}


def tags(lab: Settings, number: int) -> Mapping[str, str]:
    return dict(mlflow.MlflowClient(lab.mlflow_uri).get_model_version("IrisModel", str(number)).tags)


def twin_of(lab: Settings, number: int) -> int:
    return int(tags(lab, number)["sklearn_version"])


def registered(lab: Settings) -> list[int]:
    found = mlflow.MlflowClient(lab.mlflow_uri).search_model_versions("name = 'IrisModel'")
    return sorted(int(version.version) for version in found)


def states(store: Store, corrections: Sequence[Suggestion]) -> list[tuple[str, int | None]]:
    found = [store.suggestions.get(each.id) for each in corrections]
    return [(each.state, each.trained_version) for each in found if each]


def outcomes(store: Store) -> dict[str | None, int | None]:
    return {each.outcome: each.version for each in store.trust.withdrawals.newest("iris", 100)}


def refuse_all(monkeypatch: pytest.MonkeyPatch) -> None:
    check = gate.check

    def refuse(*arguments: Any) -> gate.Checked:
        return replace(check(*arguments), verdict="refused", because="it forgets the rest", aliases=())

    monkeypatch.setattr(gate, "check", refuse)


def test_a_version_without_the_correction_replaces_the_one_that_has_learnt_it(
    lab: Settings, problem: Problem, store: Store
) -> None:
    sent = learn(lab, problem, store, range(5))
    withdraw(store, sent[2])
    end(lab, problem, store)
    assert aliases(lab) == {ANCHOR: 1, CHAMPION: 3, CHALLENGER: 1}
    assert tags(lab, 3)[REPLACES] == "2"
    assert lengths(lab) == [5.0, 5.001, 5.003, 5.004]
    assert states(store, sent) == [("trained", 2)] * 2 + [("withdrawn", 2)] + [("trained", 2)] * 2
    assert store.trust.versions.that_learnt("iris", [sent[2].id]) == [2]
    assert store.trust.versions.that_learnt("iris", [sent[0].id]) == [2, 3]
    [(words, version)] = outcomes(store).items()
    assert version == 3
    assert words
    assert words.startswith("version 3 has learnt the other corrections, and serves (")
    history = [(each.state, each.actor, each.reason) for each in store.trust.events.of(sent[2].id)]
    assert history[-2:] == [("withdrawn", "review key", "a mistake"), ("withdrawn", "lab", words)]


def test_the_next_fine_tuning_does_not_learn_it_either(lab: Settings, problem: Problem, store: Store) -> None:
    sent = learn(lab, problem, store, range(5))
    withdraw(store, sent[2])
    end(lab, problem, store)
    more = learn(lab, problem, store, range(5, 10))
    assert lengths(lab) == [5.0, 5.001, 5.003, 5.004, 5.005, 5.006, 5.007, 5.008, 5.009]
    assert store.trust.versions.that_learnt("iris", [sent[2].id]) == [2]
    assert states(store, more) == [("trained", 4)] * 5
    assert 2 not in aliases(lab).values()


def graph_and_weights(lab: Settings, number: int) -> tuple[bytes, list[np.ndarray[Any, Any]]]:
    """Return the bytes of a version's ONNX file, and the weights of its scikit-learn twin."""
    publish.use_mlflow(lab.mlflow_uri, "IrisDev")
    graph = mlflow.onnx.load_model(f"models:/IrisModel/{number}")
    model: Any = mlflow.sklearn.load_model(f"models:/IrisDev/{twin_of(lab, number)}")
    network = model[-1] if hasattr(model, "steps") else model
    return graph.SerializeToString(), [*network.coefs_, *network.intercepts_]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("way", "left_out"),
    [
        pytest.param({"refit": None}, 0, id="continued", marks=pytest.mark.thorough),
        pytest.param({"continue_training": None}, 4, id="refitted", marks=pytest.mark.thorough),
        pytest.param({}, 0, id="both"),
    ],
)
def test_the_rebuilt_version_is_to_the_byte_the_one_that_would_have_been_made_without_the_correction(
    lab: Settings, store: Store, left_out: int, way: dict[str, Any]
) -> None:
    problem = replace(get_problem("iris"), **way)
    sent = learn(lab, problem, store, range(5))
    withdraw(store, sent[left_out])
    end(lab, problem, store)
    rebuilt, weights = graph_and_weights(lab, 3)
    with_it, _ = graph_and_weights(lab, 2)
    # Another lab, to which nobody ever sent it.
    other_home = lab.lab_home / "other"
    shutil.copytree(lab.data_dir, other_home / "data" / "iris", ignore=shutil.ignore_patterns("finetune.*"))
    other = lab.model_copy(update={"lab_home": other_home, "database_url": f"sqlite:///{other_home}/lab.db"})
    client = mlflow.MlflowClient(lab.mlflow_uri)
    for name in ("IrisModel", "IrisDev"):
        client.delete_registered_model(name)
    winner = [each for each in problem.candidates() if each.params == {"hidden_layers": 4, "epochs": 500}]
    train(replace(problem, candidates=lambda: winner), other)
    other_store = Store(other.database_url)
    let_wait(other, problem, other_store, [number for number in range(5) if number != left_out])
    finetune._train(problem, other, other_store)
    other_store.close()
    never_sent, other_weights = graph_and_weights(other, 2)
    assert rebuilt != with_it
    assert rebuilt == never_sent
    for one, another in zip(weights, other_weights, strict=True):
        np.testing.assert_array_equal(one, another)


def test_when_the_version_without_them_is_refused_the_one_before_serves_and_the_others_are_learnt_anew(
    lab: Settings, problem: Problem, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = learn(lab, problem, store, range(5))
    store.champions.note("IrisModel", 1)
    store.champions.note("IrisModel", 2)
    second = learn(lab, problem, store, range(5, 10))
    store.champions.note("IrisModel", 3)
    withdraw(store, second[0])
    with monkeypatch.context() as strict:
        refuse_all(strict)
        end(lab, problem, store)
    assert aliases(lab) == {ANCHOR: 1, CHAMPION: 2}
    assert registered(lab) == [1, 2, 3]
    assert states(store, first) == [("trained", 2)] * 5
    assert states(store, second) == [("withdrawn", 3)] + [("waiting", None)] * 4
    assert outcomes(store) == {
        "version 2 serves, which never learnt it: corrections were withdrawn, and the version without them was "
        "refused: it forgets the rest": 2
    }
    last = store.champions.history("IrisModel")[-1]
    assert (last.model_version, last.how) == (2, "rolled back")
    finetune._train(problem, lab, store)
    assert states(store, second) == [("withdrawn", 3)] + [("trained", 4)] * 4
    assert 3 not in aliases(lab).values()


def test_when_nothing_is_left_to_learn_the_version_of_the_training_serves(
    lab: Settings, problem: Problem, store: Store
) -> None:
    sent = learn(lab, problem, store, range(5))
    withdraw(store, *sent)
    end(lab, problem, store)
    assert aliases(lab) == {ANCHOR: 1, CHAMPION: 1}
    assert lengths(lab) == []
    assert outcomes(store) == {
        "version 1 serves, which never learnt it: corrections were withdrawn, and none is left to learn": 1
    }
    assert registered(lab) == [1, 2]


def test_a_correction_that_no_version_has_learnt_leaves_the_file_and_nothing_is_trained(
    lab: Settings, problem: Problem, store: Store
) -> None:
    sent = let_wait(lab, problem, store, range(3))
    withdraw(store, sent[1])
    end(lab, problem, store)
    assert lengths(lab) == [5.0, 5.002]
    assert outcomes(store) == {"no version had learnt it": None}
    assert registered(lab) == [1]
    assert aliases(lab) == {ANCHOR: 1, CHAMPION: 1}


def test_corrections_that_wait_are_learnt_by_the_version_that_replaces_another(
    lab: Settings, problem: Problem, store: Store
) -> None:
    sent = learn(lab, problem, store, range(5))
    waiting = let_wait(lab, problem, store, range(5, 7))
    withdraw(store, sent[0], sent[1])
    end(lab, problem, store)
    assert states(store, waiting) == [("trained", 3)] * 2
    assert registered(lab) == [1, 2, 3]
    assert store.trust.withdrawals.open("iris") == []


def test_an_anchor_that_has_learnt_it_is_the_anchor_no_more(lab: Settings, problem: Problem, store: Store) -> None:
    sent = learn(lab, problem, store, range(5))
    client = mlflow.MlflowClient(lab.mlflow_uri)
    client.set_registered_model_alias("IrisModel", ANCHOR, "2")
    client.set_registered_model_alias("IrisDev", ANCHOR, str(twin_of(lab, 2)))
    withdraw(store, sent[0])
    end(lab, problem, store)
    assert aliases(lab)[ANCHOR] in {1, 3}
    assert aliases(lab)[CHAMPION] == 3


def test_a_challenger_that_has_learnt_it_leaves_and_its_other_corrections_wait(
    lab: Settings, problem: Problem, store: Store
) -> None:
    sent = learn(lab.model_copy(update={"promotion": "manual"}), problem, store, range(5))
    assert aliases(lab) == {ANCHOR: 1, CHAMPION: 1, CHALLENGER: 2}
    withdraw(store, sent[0])
    end(lab, problem, store)
    assert aliases(lab) == {ANCHOR: 1, CHAMPION: 1}
    assert states(store, sent) == [("withdrawn", 2)] + [("waiting", None)] * 4
    assert outcomes(store) == {"version 1 serves, which never learnt it": 1}


def test_a_correction_whose_version_was_rolled_back_before_leaves_nothing_to_replace(
    lab: Settings, problem: Problem, store: Store
) -> None:
    sent = learn(lab, problem, store, range(5))
    store.champions.note("IrisModel", 2)
    client = mlflow.MlflowClient(lab.mlflow_uri)
    for name in ("IrisDev", "IrisModel"):
        client.set_registered_model_alias(name, CHAMPION, "1")
    store.suggestions.quarantine([each.id for each in sent[1:]], "version 2 was taken back")
    withdraw(store, sent[0], sent[1])
    end(lab, problem, store)
    assert registered(lab) == [1, 2]
    assert aliases(lab)[CHAMPION] == 1
    assert lengths(lab) == []
    assert [state for state, _ in states(store, sent)] == ["withdrawn"] * 2 + ["quarantined"] * 3
    assert outcomes(store) == {"version 1 serves, which never learnt it": 1}


def test_a_withdrawal_during_the_run_that_learns_it_is_ended_by_the_next_run(
    lab: Settings, problem: Problem, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, check = let_wait(lab, problem, store, range(5)), gate.check

    def check_meanwhile(*arguments: Any) -> gate.Checked:
        withdraw(store, sent[3])
        return check(*arguments)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(gate, "check", check_meanwhile)
        finetune._train(problem, lab, store)
    assert aliases(lab)[CHAMPION] == 2
    end(lab, problem, store)
    assert aliases(lab) == {ANCHOR: 1, CHAMPION: 3, CHALLENGER: 1}
    assert lengths(lab) == [5.0, 5.001, 5.002, 5.004]
    assert store.trust.versions.that_learnt("iris", [sent[3].id]) == [2]


def test_versions_older_than_the_memory_of_what_each_has_learnt_may_all_have_learnt_it(
    lab: Settings, problem: Problem, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(store.trust.versions, "learnt", lambda *_: None)
        first = learn(lab, problem, store, range(5))
        second = learn(lab, problem, store, range(5, 10))
    withdraw(store, first[0])
    assert store.trust.tainted.versions_of("iris", [first[0].id]) == {2: 0, 3: 0}
    assert store.trust.tainted.versions_of("iris", [second[0].id]) == {3: 0}
    end(lab, problem, store)
    assert aliases(lab) == {ANCHOR: 1, CHAMPION: 4, CHALLENGER: 1}
    assert outcomes(store).popitem()[1] == 4


def test_the_names_of_tags_are_those_that_fine_tuning_gives(lab: Settings, problem: Problem, store: Store) -> None:
    learn(lab, problem, store, range(5))
    assert {LEARNT, TRAINED_ON, "continued_from"} <= tags(lab, 2).keys()

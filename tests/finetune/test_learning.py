"""Corrections become versions, are refused or taken back, also when a training is killed; on a real MLflow."""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from uuid import uuid4

import mlflow
import pytest

from common.judgement.gate import Verdict
from common.problem import Problem, get_problem
from common.registry.client import Version
from common.settings import Settings
from common.store import Store
from common.store.suggestions import TRAIN_AT, Suggestion
from common.store.trust.reviews import CorrectionReview
from finetune import append, finetune, gate, train, versions
from finetune.append import append_corrections
from finetune.gate import Checked
from tests.finetune.killed import KILLED, Countdown, KilledError, counting, end_with_error
from tests.finetune.quick_lab import correction, do_without_prefect, lengths, let_wait, one_way


@pytest.fixture
def lab(settings: Settings, trained: Version, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A lab with version 1, and steps that do without Prefect."""
    assert trained.number == 1
    do_without_prefect(monkeypatch)
    return settings


@pytest.fixture
def store(lab: Settings) -> Iterator[Store]:
    opened = Store(lab.database_url)
    yield opened
    opened.close()


def known(store: Store, sent: Sequence[Suggestion]) -> list[Suggestion]:
    return [found for each in sent if (found := store.suggestions.get(each.id))]


def champions(lab: Settings, alias: str = "champion") -> tuple[int, int]:
    """Return the numbers of the champion and of its twin, after a check that both aliases point at one pair."""
    client = mlflow.MlflowClient(lab.mlflow_uri)
    onnx, twin = (client.get_model_version_by_alias(name, alias) for name in ("IrisModel", "IrisDev"))
    assert onnx.tags["sklearn_version"] == str(twin.version)
    return int(onnx.version), int(twin.version)


def roll_back(lab: Settings, number: int) -> None:
    mlflow.MlflowClient(lab.mlflow_uri).set_registered_model_alias("IrisModel", "champion", str(number))


def test_a_judgement_names_the_flow_run_that_made_it(
    lab: Settings, problem: Problem, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = str(uuid4())
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", run)  # as Prefect sets it for the process of a run
    let_wait(lab, problem, store, range(5))
    finetune._train(problem, lab, store)
    assert [each.flow_run_id for each in store.judgements.newest(problem.name, 2)] == [run]


def test_a_version_remembers_all_corrections_that_it_has_learnt(lab: Settings, problem: Problem, store: Store) -> None:
    first = let_wait(lab, problem, store, range(5))
    finetune._train(problem, lab, store)
    second = let_wait(lab, problem, store, range(5, 10))
    finetune._train(problem, lab, store)
    assert [store.trust.versions.that_learnt(problem.name, [each.id]) for each in first] == [[2, 3]] * 5
    assert [store.trust.versions.that_learnt(problem.name, [each.id]) for each in second] == [[3]] * 5


def test_a_version_remembers_its_corrections_before_it_serves(
    lab: Settings, problem: Problem, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = let_wait(lab, problem, store, range(5))
    seen: list[int] = []

    def note_and_move(*_: object) -> None:
        seen.extend(store.trust.versions.that_learnt(problem.name, [waiting[0].id]))
        raise KilledError

    with monkeypatch.context() as killed:
        killed.setattr(versions, "put_into_service", note_and_move)
        with pytest.raises(KilledError):
            finetune._train(problem, lab, store)
    assert (seen, champions(lab)[0]) == ([2], 1)


def test_a_version_that_an_earlier_run_registered_remembers_its_corrections(
    lab: Settings, problem: Problem, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KilledError

    waiting = let_wait(lab, problem, store, range(5))
    with monkeypatch.context() as killed:
        killed.setattr(store.trust.versions, "learnt", die)
        with pytest.raises(KilledError):
            finetune._train(problem, lab, store)
    assert finetune._train(problem, lab, store).message == "trained in version 2"
    assert store.trust.versions.that_learnt(problem.name, [waiting[4].id]) == [2]


def test_a_refused_batch_leaves_the_file_and_the_next_one_is_learnt(
    lab: Settings, problem: Problem, store: Store
) -> None:
    first = let_wait(lab, problem, store, range(5))
    finetune._train(problem, lab, store)
    bad = let_wait(lab, problem, store, [0, *range(6, 10)])
    by_threshold = lab.model_copy(update={"gate": "threshold"})
    ended = finetune._train(replace(problem, min_accuracy=1.01), by_threshold, store)
    assert ended.name == "Refused"
    assert lengths(lab) == [5.0, 5.001, 5.002, 5.003, 5.004]
    good = let_wait(lab, problem, store, range(10, 15))
    assert finetune._train(problem, lab, store).message == "trained in version 3"
    assert lengths(lab) == [5.0, 5.001, 5.002, 5.003, 5.004, 5.01, 5.011, 5.012, 5.013, 5.014]
    assert {(each.state, each.trained_version) for each in known(store, first)} == {("trained", 2)}
    assert {each.state for each in known(store, bad)} == {"refused"}
    assert {(each.state, each.trained_version) for each in known(store, good)} == {("trained", 3)}


def test_lies_without_effect_do_not_refuse_the_next_corrections(lab: Settings, problem: Problem, store: Store) -> None:
    lies = [correction(problem, number, "Iris-virginica") for number in range(60)]
    for each in lies:
        append_corrections(store, problem, each, lab.corrections)
    store.suggestions.judged([each.id for each in lies], "no-effect")
    good = let_wait(lab, problem, store, range(100, 105))
    by_threshold = lab.model_copy(update={"gate": "threshold"})
    ended = finetune._train(replace(problem, continue_training=None), by_threshold, store)
    assert ended.message == "trained in version 2"
    assert {each.state for each in known(store, lies)} == {"quarantined"}
    assert {each.trained_version for each in known(store, good)} == {2}
    assert lengths(lab) == [5.1, 5.101, 5.102, 5.103, 5.104]


def test_corrections_of_a_version_that_was_rolled_back_by_hand_are_not_learnt_again(
    lab: Settings, problem: Problem, store: Store
) -> None:
    taken_back = let_wait(lab, problem, store, range(5))
    finetune._train(problem, lab, store)
    roll_back(lab, 1)
    let_wait(lab, problem, store, range(5, 10))
    assert finetune._train(problem, lab, store).message == "trained in version 3"
    assert champions(lab) == (3, 3)
    assert lengths(lab) == [5.005, 5.006, 5.007, 5.008, 5.009]
    assert {(each.state, each.quarantined_because) for each in known(store, taken_back)} == {
        ("quarantined", "version 2 had learnt it, and was taken back")
    }
    client = mlflow.MlflowClient(lab.mlflow_uri)
    run = client.get_run(str(client.get_model_version("IrisModel", "3").run_id))
    assert (run.data.params["continued_from"], run.data.params["corrections"]) == ("1", "5")


def test_the_same_corrections_after_a_rollback_make_a_version_of_their_own(
    lab: Settings, problem: Problem, store: Store
) -> None:
    let_wait(lab, problem, store, range(5))
    finetune._train(problem, lab, store)
    roll_back(lab, 1)
    again = let_wait(lab, problem, store, range(5))
    assert finetune._train(problem, lab, store).message == "trained in version 3"
    assert {each.trained_version for each in known(store, again)} == {3}
    assert lengths(lab) == [5.0, 5.001, 5.002, 5.003, 5.004]


def test_all_corrections_of_a_version_that_was_taken_back_make_another_one_when_a_reviewer_approves_them(
    lab: Settings, problem: Problem, store: Store
) -> None:
    sent = let_wait(lab, problem, store, range(5))
    finetune._train(problem, lab, store)
    store.champions.note("IrisModel", 2)
    roll_back(lab, 1)
    store.champions.note("IrisModel", 1, "rolled back")
    versions.quarantine_taken_back(problem, lab, store, versions.serving_version(problem, lab))
    assert {each.state for each in known(store, sent)} == {"quarantined"}
    store.trust.reviews.decide("iris", [each.id for each in sent], CorrectionReview("approved", "review key"))
    append_corrections(store, problem, sent[0], lab.corrections)
    assert lengths(lab) == [5.0, 5.001, 5.002, 5.003, 5.004]
    assert finetune._train(problem, lab, store).message == "trained in version 3"
    assert {(each.state, each.trained_version) for each in known(store, sent)} == {("trained", 3)}
    assert champions(lab)[0] == 3


def test_corrections_of_a_version_that_was_taken_back_before_they_were_noted_are_not_learnt_again(
    lab: Settings, problem: Problem, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    escaped = let_wait(lab, problem, store, range(5))
    with monkeypatch.context() as killed:
        killed.setattr(versions, "note_learnt", lambda *_: None)
        finetune._train(problem, lab, store)
    store.champions.note("IrisModel", 2)
    roll_back(lab, 1)
    assert finetune._train(problem, lab, store).message == "version 2 had learnt them, and was taken back"
    assert champions(lab, "challenger") == (1, 1)
    assert {each.state for each in known(store, escaped)} == {"quarantined"}
    assert lengths(lab) == []


@pytest.mark.parametrize("verdict", ["refused", "no effect"])
def test_a_run_killed_while_it_notes_a_verdict_is_finished_by_the_next(
    lab: Settings, problem: Problem, store: Store, monkeypatch: pytest.MonkeyPatch, verdict: Verdict
) -> None:
    fine_tuned = SimpleNamespace(run_id="")
    monkeypatch.setattr(train, "fine_tune", lambda *_: fine_tuned)
    monkeypatch.setattr(gate, "check", lambda *_: Checked("refitted", None, verdict, "because"))
    by_threshold = lab.model_copy(update={"gate": "threshold"})

    def judge(killed_after: int) -> bool:
        """Let the run be killed after a number of changes; return whether it was."""
        fine_tuned.run_id = str(uuid4())
        try:
            with counting(Countdown(end_with_error, killed_after)):
                finetune._train(problem, by_threshold, store)
        except KilledError:
            return True
        return False

    for killed_after in range(1, 16):
        older = let_wait(lab, problem, store, range(900 + 2 * killed_after, 902 + 2 * killed_after))
        store.suggestions.judged([each.id for each in older], "an earlier one")
        new = let_wait(lab, problem, store, range(5 * killed_after, 5 * killed_after + 5))
        if not judge(killed_after):
            break
        if len(store.suggestions.unjudged(problem.name)) >= TRAIN_AT:
            judge(0)
        append.append_corrections(store, problem, new[0], lab.corrections)
        judgement = store.judgements.newest(problem.name, 1)[0]
        state = "refused" if verdict == "refused" else "waiting"
        assert {(each.state, each.judgement_id) for each in known(store, new)} == {(state, judgement.id)}
        if verdict == "refused":
            assert {each.state for each in known(store, older)} == {"quarantined"}
            assert lengths(lab) == []
        else:
            assert {(each.state, each.judgement_id) for each in known(store, older)} == {("waiting", judgement.id)}
    assert killed_after > 3


def test_corrections_that_versions_of_another_registry_have_learnt_are_learnt_again(
    lab: Settings, problem: Problem, store: Store
) -> None:
    earlier = let_wait(lab, problem, store, range(5))
    store.suggestions.trained([each.id for each in earlier], 7)
    client = mlflow.MlflowClient(lab.mlflow_uri)
    source = client.get_model_version("IrisModel", "1")
    model_id = str(source.source).rpartition("/")[2]
    client.delete_registered_model("IrisModel")
    client.create_registered_model("IrisModel")
    client.create_model_version("IrisModel", str(source.source), tags=source.tags, model_id=model_id)
    let_wait(lab, problem, store, range(5, 10))
    assert finetune._train(problem, lab, store).message == "trained in version 2"
    assert len(lengths(lab)) == 10
    assert {each.state for each in known(store, earlier)} == {"trained"}


def train_until(lab: Settings, change: int) -> None:
    """Train, and kill this process after `change` changes of the registry and of the store."""
    store = Store(lab.database_url)
    finetune.step = lambda name, function: function  # noqa: ARG005  # named as the original is
    with counting(Countdown(partial(os._exit, KILLED), change)):
        finetune._train(one_way(get_problem("iris")), lab, store)


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.thorough)], ids=["every fifth", "every"])
def test_a_training_killed_after_any_change_of_the_registry_or_the_store_is_finished_by_the_next(
    lab: Settings, problem: Problem, store: Store, step: int
) -> None:
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__])
    before = 1
    for kill, change in enumerate(range(1, 30, step), 1):
        waiting = let_wait(lab, problem, store, range(5 * kill, 5 * kill + 5))
        process = processes.Process(target=train_until, args=(lab, change))
        process.start()
        process.join(60)
        if process.exitcode == 0:
            break
        assert process.exitcode == KILLED
        if store.suggestions.waiting(problem.name):
            ended = finetune._train(one_way(problem), lab, store)
            assert ended.message == f"trained in version {champions(lab)[0]}"
        number, _ = champions(lab)
        assert champions(lab, "challenger")[0] == before
        before = number
        judgement = store.trials.judgement(problem.name, number)
        assert judgement
        assert {(each.trained_version, each.judgement_id) for each in known(store, waiting)} == {(number, judgement.id)}
        assert store.trust.versions.count(problem.name, [number]) == {number: 5 * kill}
        newest = mlflow.MlflowClient(lab.mlflow_uri).search_model_versions(
            "name = 'IrisModel'", order_by=["version_number DESC"], max_results=1
        )
        assert int(newest[0].version) == number
    # Two versions, four aliases, and three changes of the store: fewer could not do it.
    assert change > 9
    assert len(lengths(lab)) == 5 * kill

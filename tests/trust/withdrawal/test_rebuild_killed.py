"""A run that ends withdrawals and is killed after any change is finished by the next one; on a real MLflow."""

import multiprocessing
import os
from functools import partial
from types import SimpleNamespace
from uuid import uuid4

import mlflow
import pytest

from common.problem import Problem, get_problem
from common.registry.client import ANCHOR, CHALLENGER, CHAMPION
from common.settings import Settings
from common.store import Store
from finetune import finetune, gate, train
from tests.finetune.killed import KILLED, Countdown, KilledError, counting, end_with_error
from tests.finetune.quick_lab import lengths, one_way
from tests.trust.withdrawal.test_rebuild import (
    aliases,
    end,
    lab,
    learn,
    outcomes,
    registered,
    states,
    store,
    withdraw,
)
from trust.withdrawal.rebuild import end_withdrawals

__all__ = ["lab", "store"]  # fixtures


def end_until(lab: Settings, change: int) -> None:
    """End the withdrawals, and kill this process after `change` changes of the registry and of the store."""
    opened = Store(lab.database_url)
    with counting(Countdown(partial(os._exit, KILLED), change)):
        end_withdrawals(one_way(get_problem("iris")), lab, opened, lambda _, function: function)


@pytest.mark.parametrize(
    ("url", "step"),
    [
        pytest.param("sqlite", 4, id="sqlite, every fourth"),
        pytest.param("sqlite", 1, id="sqlite, every", marks=pytest.mark.thorough),
        pytest.param("postgresql", 1, id="postgresql, every", marks=pytest.mark.thorough),
    ],
    indirect=["url"],
)
def test_a_rebuild_killed_after_any_change_leads_to_one_version(
    lab: Settings, problem: Problem, store: Store, step: int
) -> None:
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__])
    sent = learn(lab, one_way(problem), store, range(40))
    made = 2
    for kill, change in enumerate(range(1, 40, step), 1):
        withdraw(store, sent[kill])
        process = processes.Process(target=end_until, args=(lab, change))
        process.start()
        process.join(120)
        if process.exitcode == 0:
            break
        assert process.exitcode == KILLED
        end(lab, one_way(problem), store)
        made += 1
        assert registered(lab) == [*range(1, made + 1)], f"killed after change {change}"
        assert aliases(lab) == {ANCHOR: 1, CHAMPION: made, CHALLENGER: 1}
        assert len(lengths(lab)) == 40 - kill
        assert store.trust.withdrawals.open("iris") == []
        [closed] = store.trust.withdrawals.newest("iris", 1, [sent[kill].id])
        assert closed.version == made
        assert closed.outcome
        assert closed.outcome.startswith(f"version {made} has learnt the other corrections, and serves (")
        assert set(states(store, [*sent[:1], *sent[kill + 1 :]])) == {("trained", 2)}
        judgement = store.trials.judgement("iris", made)
        assert judgement
    # Two versions, aliases, and changes of the store: fewer could not do it.
    assert change > 9


@pytest.mark.thorough
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_fallback_killed_after_any_change_ends_the_same(
    lab: Settings, problem: Problem, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = learn(lab, one_way(problem), store, range(25))
    for change in range(1, 20):
        store.champions.note("IrisModel", 1)
        number = aliases(lab)[CHAMPION]
        assert number == change + 1
        store.champions.note("IrisModel", number)
        withdraw(store, sent[change])
        was_killed = False
        with monkeypatch.context() as refusing:
            run_ids = iter(str(uuid4()) for _ in range(2))
            refusing.setattr(train, "fine_tune", lambda *_, of=run_ids: SimpleNamespace(run_id=next(of)))
            refusing.setattr(gate, "check", lambda *_: gate.Checked("refitted", None, "refused", "no"))
            try:
                with counting(Countdown(end_with_error, change)):
                    end(lab, problem, store)
            except KilledError:
                was_killed = True
                # As the service does that follows the champion.
                store.champions.note("IrisModel", aliases_of_champion(lab))
                end(lab, problem, store)
        if not was_killed:
            break
        assert aliases(lab) == {ANCHOR: 1, CHAMPION: 1}, f"killed after change {change}"
        assert states(store, sent[change + 1 :]) == [("waiting", None)] * (24 - change)
        assert store.trust.withdrawals.open("iris") == []
        last = store.champions.history("IrisModel")[-1]
        assert (last.model_version, last.how) == (1, "rolled back")
        finetune._train(one_way(problem), lab, store)
    assert change > 5
    assert None not in outcomes(store)


def aliases_of_champion(lab: Settings) -> int:
    """Return the champion, also in the moment when only one of its two models has the alias."""
    return int(mlflow.MlflowClient(lab.mlflow_uri).get_model_version_by_alias("IrisModel", CHAMPION).version)

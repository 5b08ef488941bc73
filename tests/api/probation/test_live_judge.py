"""Ground truths of rows that two versions answered promote, retire and roll back; on a real MLflow and a real store."""

import asyncio
from collections.abc import Iterator, Mapping

import mlflow
import pytest

from api.probation import live_judge
from api.probation.live_judge import LiveJudge
from api.promotion.aliases import Aliases, Objection
from common.problem import Problem
from common.registry.client import ANCHOR, CHALLENGER, CHAMPION, VERDICT, Registry
from common.settings import Settings
from common.store import Store
from common.store.judgements import JudgementRecord
from common.store.process_lock import process_lock
from common.store.threads import StoreThreads
from tests.common.store.rows import MODEL, NOON, SETOSA, VERSICOLOR, prediction, shadow, suggestion
from tests.conftest import register_onnx

WORSE, BETTER = (30, 15, 1), (30, 1, 15)  # ties, rows that only the champion and only the challenger answers rightly


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = Store(settings.database_url)
    yield opened
    opened.close()


def register(settings: Settings, **aliases: int) -> None:
    """Register two versions, of which fine-tuning made the second, and set the aliases."""
    client = mlflow.MlflowClient(settings.mlflow_uri)
    for content in (b"one", b"two"):
        number = register_onnx(settings, content)
    client.set_model_version_tag(MODEL, str(number), VERDICT, "insufficient evidence")
    for alias, version in aliases.items():
        client.set_registered_model_alias(MODEL, alias, str(version))


def aliases(settings: Settings) -> Mapping[str, int]:
    found = mlflow.MlflowClient(settings.mlflow_uri).get_registered_model(MODEL).aliases
    return {alias: int(version) for alias, version in found.items()}


def answer(
    store: Store, champion: int, challenger: int, counts: tuple[int, int, int], *, trusted: bool = False
) -> None:
    """Log rows of both versions, and give their ground truth, which is always setosa."""
    ties, only_champion, only_challenger = counts
    kinds = (
        [(SETOSA, SETOSA)] * ties + [(SETOSA, VERSICOLOR)] * only_champion + [(VERSICOLOR, SETOSA)] * only_challenger
    )
    names = [f"{champion}-{challenger}-{number}-{trusted}" for number in range(len(kinds))]
    rows = [prediction(name, first, version=champion) for name, (first, _) in zip(names, kinds, strict=True)]
    store.known_rows.write(rows, [SETOSA] * len(rows), trusted=trusted)
    store.predictions.write([shadow(name, second, challenger) for name, (_, second) in zip(names, kinds, strict=True)])


def look(
    settings: Settings, problem: Problem, store: Store, looks: int = 1, objection: Objection = lambda *_: None
) -> None:
    """Let the judge look at the registry and the store."""

    async def looking() -> None:
        threads = StoreThreads(store)
        async with Registry(settings.mlflow_uri) as registry:
            found = Aliases(problem, registry, threads, [objection])
            judge = LiveJudge(problem, settings, registry, threads, found)
            for _ in range(looks):
                await judge._look()
        threads.close()

    asyncio.run(looking())


def learnt(store: Store, version: int) -> None:
    """Let a version have learnt a correction."""
    store.suggestions.add(suggestion("a"))
    store.suggestions.trained(["a"], version)


def test_a_new_champion_that_is_worse_is_rolled_back_and_its_corrections_are_quarantined(
    settings: Settings, problem: Problem, store: Store
) -> None:
    register(settings, champion=2, challenger=1, anchor=2)
    learnt(store, 2)
    answer(store, 2, 1, BETTER)
    look(settings, problem, store)
    assert aliases(settings) == {CHAMPION: 1, ANCHOR: 1}
    [period] = store.champions.history(MODEL)
    assert (period.model_version, period.how) == (1, "rolled back")
    assert period.because == ("of 46 ground truths, only version 2 answered 1 rightly, and only version 1 15")
    found = store.suggestions.get("a")
    assert found
    assert (found.state, period.because in str(found.quarantined_because)) == ("quarantined", True)


def test_a_challenger_that_is_not_worse_is_promoted_and_the_old_champion_answers_in_its_shadow(
    settings: Settings, problem: Problem, store: Store
) -> None:
    register(settings, champion=1, challenger=2, anchor=1)
    answer(store, 1, 2, (240, 0, 0))
    look(settings, problem, store)
    assert aliases(settings) == {CHAMPION: 1, CHALLENGER: 2, ANCHOR: 1}
    answer(store, 1, 2, (1, 0, 0), trusted=True)
    look(settings, problem, store, looks=2)
    assert aliases(settings) == {CHAMPION: 2, CHALLENGER: 1, ANCHOR: 1}
    assert [(each.model_version, each.how) for each in store.champions.history(MODEL)] == [(2, "promoted")]


def test_a_person_promotes_where_the_setting_says_so(
    settings: Settings, problem: Problem, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A look that decides nothing takes no lock, which on PostgreSQL is a connection of its own.
    monkeypatch.setattr(live_judge, "process_lock", None)
    register(settings, champion=1, challenger=2)
    answer(store, 1, 2, (241, 0, 0))
    look(settings.model_copy(update={"promotion": "manual"}), problem, store)
    assert aliases(settings) == {CHAMPION: 1, CHALLENGER: 2}


@pytest.mark.parametrize("champion", [1, 2])
def test_a_version_against_which_there_is_an_objection_does_not_become_champion(
    settings: Settings, problem: Problem, store: Store, champion: int
) -> None:
    challenger = 3 - champion
    register(settings, champion=champion, challenger=challenger)
    answer(store, champion, challenger, (240, 0, 15))
    look(settings, problem, store, objection=lambda _, version: "no" if version.number == challenger else None)
    assert aliases(settings) == {CHAMPION: champion, CHALLENGER: challenger}
    look(settings, problem, store, looks=2, objection=lambda _, version: "no" if version.number == champion else None)
    assert aliases(settings)[CHAMPION] == challenger


def test_a_challenger_that_is_worse_is_retired(settings: Settings, problem: Problem, store: Store) -> None:
    register(settings, champion=1, challenger=2)
    learnt(store, 2)
    answer(store, 1, 2, WORSE)
    look(settings, problem, store)
    assert aliases(settings) == {CHAMPION: 1}
    found = store.suggestions.get("a")
    assert found
    assert found.state == "quarantined"


def test_a_challenger_of_training_or_of_a_person_is_left_to_people(
    settings: Settings, problem: Problem, store: Store
) -> None:
    register(settings, champion=1, challenger=2)
    mlflow.MlflowClient(settings.mlflow_uri).delete_model_version_tag(MODEL, "2", VERDICT)
    answer(store, 1, 2, WORSE)
    look(settings, problem, store)
    assert aliases(settings) == {CHAMPION: 1, CHALLENGER: 2}


def test_with_a_key_only_trusted_ground_truths_count(settings: Settings, problem: Problem, store: Store) -> None:
    with_key = Settings(**settings.model_dump() | {"api_key": "secret"})
    register(settings, champion=2, challenger=1)
    answer(store, 2, 1, BETTER)
    look(with_key, problem, store)
    assert aliases(settings) == {CHAMPION: 2, CHALLENGER: 1}
    answer(store, 2, 1, BETTER, trusted=True)
    look(with_key, problem, store)
    assert aliases(settings) == {CHAMPION: 1}


def test_one_process_acts(settings: Settings, problem: Problem, store: Store) -> None:
    register(settings, champion=2, challenger=1)
    answer(store, 2, 1, BETTER)
    with process_lock(settings.database_url, "deciding") as first:
        assert first
        look(settings, problem, store)
        assert aliases(settings) == {CHAMPION: 2, CHALLENGER: 1}
    look(settings, problem, store)
    assert aliases(settings) == {CHAMPION: 1}


def judgement(version: int, wanted: int) -> JudgementRecord:
    """Return an open verdict: on the wanted predictions the candidate answers setosa, and the others versicolor."""
    classes = [{"name": name, "gain": 0, "harm": 0, "n": 10, "high": 0.2} for name in (SETOSA, VERSICOLOR)]
    against = {
        "gain": 0,
        "harm": 0,
        "unknown": wanted,
        "n": 400,
        "known": 100,
        "low": -0.05,
        "high": 0.05,
        "classes": classes,
    }
    details = {
        "against": {"champion": against, "anchor": against},
        "rules": {"margin": 0.02, "class_loss": 0.05}, "alphas": [0.05, 0.05],
        "wanted": [
            {"prediction_id": str(n), "candidate": SETOSA, "champion": VERSICOLOR, "anchor": VERSICOLOR}
            for n in range(wanted)
        ],
    }  # fmt: skip
    return JudgementRecord("j", "iris", NOON, "insufficient evidence", version, "refitted", details)


@pytest.mark.parametrize(("truth", "left"), [(SETOSA, {CHAMPION: 2, CHALLENGER: 1}), (VERSICOLOR, {CHAMPION: 1})])
def test_the_ground_truths_that_the_gate_wanted_settle_an_open_verdict(
    settings: Settings, problem: Problem, store: Store, truth: str, left: Mapping[str, int]
) -> None:
    register(settings, champion=1, challenger=2)
    store.judgements.add(judgement(2, wanted=12))
    for number in range(12):
        store.predictions.write([prediction(str(number), VERSICOLOR)])
    look(settings, problem, store)
    assert aliases(settings) == {CHAMPION: 1, CHALLENGER: 2}
    for number in range(12):
        store.feedback.give(str(number), truth)
    look(settings, problem, store)
    assert aliases(settings) == left
    decided = store.judgements.of("j")
    assert decided
    assert "settled by 12 of the 12 ground truths" in str(decided.outcome)

"""A judge whose process is killed after any of its writes: the next look goes on, and the end is the same."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from api.probation.live_judge import LiveJudge
from api.promotion.aliases import Aliases
from common.problem import Problem
from common.registry.client import ANCHOR, CHALLENGER, CHAMPION, VERDICT, Registry, Version
from common.settings import Settings
from common.store import Store
from common.store.database import Database
from common.store.threads import StoreThreads
from tests.api.probation.test_live_judge import BETTER, WORSE, answer, judgement
from tests.common.store.rows import MODEL, SETOSA, VERSICOLOR, prediction, suggestion

TWIN = "IrisDev"
WANTED = 12


class KilledError(BaseException):
    """Stands for the end of the process. Nothing in the api catches it."""


@dataclass
class Steps:
    """Counts what is written to the store and to the registry, and ends the process after so many."""

    left: int | None = None

    def done(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                raise KilledError


class Aliased(Registry):
    """A registry in memory: two versions with their twins, of which fine-tuning made the second."""

    def __init__(self, steps: Steps) -> None:
        super().__init__("http://127.0.0.1:1")
        self.steps = steps
        self.aliases: dict[tuple[str, str], int] = {}

    async def aliased(self, name: str, alias: str) -> Version | None:
        number = self.aliases.get((name, alias))
        return await self.version(name, number) if number else None

    async def version(self, name: str, number: int) -> Version | None:
        tags = {"sklearn_version": str(number)} | ({VERDICT: "insufficient evidence"} if number > 1 else {})
        return Version(name, number, "", tags)

    async def set_alias(self, name: str, alias: str, number: int | None) -> None:
        self.aliases.pop((name, alias), None)
        if number:
            self.aliases[name, alias] = number
        self.steps.done()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    counted, writing = Steps(), Database.writing

    @contextmanager
    def writing_and_counting(database: Database, **options: bool) -> Iterator[sa.Connection]:
        with writing(database, **options) as connection:
            yield connection
        counted.done()

    monkeypatch.setattr(Database, "writing", writing_and_counting)
    return counted


@dataclass(frozen=True)
class Case:
    """A situation in which the judge acts: the aliases, and the ground truths of counted rows or of wanted ones."""

    aliases: Mapping[str, int]
    counts: tuple[int, int, int] | None = None
    truth_of_wanted: str | None = None


CASES = {
    "roll back": Case({CHAMPION: 2, CHALLENGER: 1, ANCHOR: 2}, BETTER),
    "roll back, settled": Case({CHAMPION: 2, CHALLENGER: 1, ANCHOR: 2}, truth_of_wanted=VERSICOLOR),
    "promote": Case({CHAMPION: 1, CHALLENGER: 2, ANCHOR: 1}, (240, 0, 3)),
    "promote, settled": Case({CHAMPION: 1, CHALLENGER: 2, ANCHOR: 1}, truth_of_wanted=SETOSA),
    "retire": Case({CHAMPION: 1, CHALLENGER: 2, ANCHOR: 1}, WORSE),
    "retire, settled": Case({CHAMPION: 1, CHALLENGER: 2, ANCHOR: 1}, truth_of_wanted=VERSICOLOR),
}


def begin(registry: Aliased, store: Store, case: Case) -> None:
    registry.aliases = {(name, alias): number for alias, number in case.aliases.items() for name in (MODEL, TWIN)}
    for version in (1, case.aliases[CHAMPION]):
        store.champions.note(MODEL, version)
    store.suggestions.add(suggestion("a"))
    store.suggestions.trained(["a"], 2)
    store.judgements.add(judgement(2, wanted=WANTED))
    if case.counts:
        answer(store, case.aliases[CHAMPION], case.aliases[CHALLENGER], case.counts)
    if case.truth_of_wanted:
        wanted = [prediction(str(number), VERSICOLOR) for number in range(WANTED)]
        store.known_rows.write(wanted, [case.truth_of_wanted] * WANTED)


def look(settings: Settings, problem: Problem, registry: Registry, store: Store) -> None:
    async def looking() -> None:
        threads = StoreThreads(store)
        try:
            await LiveJudge(problem, settings, registry, threads, Aliases(problem, registry, threads))._look()
        finally:
            threads.close()

    asyncio.run(looking())


def state(registry: Aliased, store: Store) -> dict[str, Any]:
    """Return all that the judge changes."""
    last, found, judged = store.champions.history(MODEL)[-1], store.suggestions.get("a"), store.judgements.of("j")
    assert found
    assert judged
    return {
        "aliases": registry.aliases,
        "champion": (last.model_version, last.how, last.because),
        "correction": (found.state, found.quarantined_because),
        "outcome": judged.outcome,
    }


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_next_look_completes_what_a_killed_judge_began(
    offline: Settings, problem: Problem, steps: Steps, tmp_path: Path, case: Case
) -> None:
    def ended(killed_after: int | None) -> dict[str, Any] | None:
        """Return the end state after a kill and two looks; None if the judge had ended before."""
        settings = offline.model_copy(update={"database_url": f"sqlite:///{tmp_path}/{killed_after}/lab.db"})
        store, registry = Store(settings.database_url), Aliased(steps)
        begin(registry, store, case)
        steps.left, was_killed = killed_after, False
        try:
            look(settings, problem, registry, store)
        except KilledError:
            steps.left, was_killed = None, True
            # As the service that follows the champion does meanwhile.
            store.champions.note(MODEL, registry.aliases[MODEL, CHAMPION])
        steps.left = None
        for _ in range(2):
            look(settings, problem, registry, store)
        found = state(registry, store)
        store.close()
        return found if was_killed or not killed_after else None

    expected = ended(None)
    killed_after = 1
    while found := ended(killed_after):
        assert found == expected, f"killed after step {killed_after}"
        killed_after += 1
    assert killed_after > 3

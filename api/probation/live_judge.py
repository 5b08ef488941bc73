"""Compares two versions that answer the same live rows, and moves the aliases when the ground truths decide."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

from api.promotion.aliases import Aliases, previous_champion
from common.judgement.betting import Outcome, judge_probation, judge_trial
from common.judgement.gate import ACCEPTED, REFUSED, Verdict
from common.judgement.settle import settle, wanted_labels
from common.problem import Problem
from common.registry.client import CHALLENGER, CHAMPION, VERDICT, Registry, Version
from common.registry.follow import RegistryFollower
from common.settings import Settings
from common.store import Store, StoreError
from common.store.process_lock import process_lock
from common.store.statistics import Paired
from common.store.threads import StoreThreads

LOOK_SECONDS = 2.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Duel:
    """The champion and the challenger; one of them is `new`, a version that has learnt corrections."""

    champion: Version
    challenger: Version

    @property
    def new(self) -> Version | None:
        """The version to judge; None if fine-tuning has not made the newer one: then a person decides."""
        newer = max(self.champion, self.challenger, key=lambda each: each.number)
        return newer if VERDICT in newer.tags and self.champion.number != self.challenger.number else None

    def outcome(self, paired: Paired, margin: float) -> Outcome | None:
        """Decide by the ground truths of the rows that both versions answered."""
        ties = paired.both_right + paired.both_wrong
        if self.new is self.challenger:
            return judge_trial(paired.only_challenger_right, paired.only_champion_right, ties, margin)
        return judge_probation(paired.only_champion_right, paired.only_challenger_right, ties)

    def settled(self, verdict: Verdict | None) -> Outcome | None:
        """Return what follows from a verdict that the wanted ground truths have settled; None if nothing changes."""
        if verdict == ACCEPTED:
            return "promote" if self.new is self.challenger else None
        if verdict == REFUSED:
            return "retire" if self.new is self.challenger else "roll back"
        return None

    def reason(self, paired: Paired) -> str:
        """Return the counts that decided, in words."""
        truths = paired.both_right + paired.both_wrong + paired.only_champion_right + paired.only_challenger_right
        return (
            f"of {truths} ground truths, only version {self.champion.number} answered {paired.only_champion_right} "
            f"rightly, and only version {self.challenger.number} {paired.only_challenger_right}"
        )


@dataclass(frozen=True)
class Decision:
    """An outcome of a duel for its new version, and the reason."""

    duel: Duel
    new: Version
    outcome: Outcome
    reason: str


class LiveJudge(RegistryFollower):
    """Judges the version that has learnt corrections last, from `start` to `stop`, in one process of the service."""

    def __init__(
        self, problem: Problem, settings: Settings, registry: Registry, store: StoreThreads, aliases: Aliases
    ) -> None:
        """Judge `problem`'s versions in `registry` by the ground truths in `store`, and move `aliases`."""
        super().__init__("the judge of live versions", LOOK_SECONDS, StoreError)
        self._problem = problem
        self._settings = settings
        self._registry = registry
        self._store = store
        self._aliases = aliases

    async def _look(self) -> None:
        """Decide if the ground truths allow it, and act if no other process does."""
        if await self._judge() is None:
            return
        async with self._alone() as is_alone:
            # Another process may have acted since.
            if is_alone and (decision := await self._judge()):
                await self._act(decision)

    async def _judge(self) -> Decision | None:
        name = self._problem.onnx_name
        champion = await self._registry.aliased(name, CHAMPION)
        challenger = await self._registry.aliased(name, CHALLENGER)
        if champion is None or challenger is None:
            return None
        if champion.number == challenger.number:
            return await self._begun(champion)
        duel = Duel(champion, challenger)
        new = duel.new
        return await self._store.read(lambda of: self._decide(of, duel, new)) if new else None

    async def _begun(self, champion: Version) -> Decision | None:
        """Return the decision that a process began to carry out when it made the challenger the champion, and ended."""
        name, number = self._problem.onnx_name, champion.number
        judgement = await self._store.read(lambda of: of.trials.judgement(self._problem.name, number))
        outcome, _, reason = (judgement.outcome or "" if judgement else "").partition(": ")
        before = previous_champion(await self._store.read(lambda of: of.champions.history(name)))
        shadow = await self._registry.version(name, before) if before and outcome == "promote" else None
        if shadow and await self._aliases.objected(shadow):
            shadow = None
        # Without a shadow, the process rolled back, or a person promoted the version: only the second alias is left.
        decision: Outcome = "promote" if shadow else "end"
        return Decision(Duel(shadow or champion, champion), champion, decision, reason)

    def _decide(self, store: Store, duel: Duel, new: Version) -> Decision | None:
        """Decide by the verdict, if the ground truths of the wanted predictions settle it, else by betting."""
        trusted_only = self._settings.has_keys
        judgement = store.trials.judgement(self._problem.name, new.number)
        # Also after it was decided: the process that decided may have ended before it moved the aliases.
        if judgement and judgement.details.get("wanted"):
            wanted = [each.prediction_id for each in wanted_labels(judgement.details)]
            truths = store.trials.truths_of(wanted, trusted_only=trusted_only)
            if outcome := duel.settled(settle(judgement.details, truths)):
                reason = f"settled by {len(truths)} of the {len(wanted)} ground truths that the gate had wanted"
                return self._allowed(store, Decision(duel, new, outcome, reason))
        paired = store.trials.paired_truths(
            self._problem.name, self._problem.onnx_name, duel.champion.number, duel.challenger.number,
            trusted_only=trusted_only,
        )  # fmt: skip
        outcome = duel.outcome(paired, self._problem.margin)
        return self._allowed(store, Decision(duel, new, outcome, duel.reason(paired))) if outcome else None

    def _allowed(self, store: Store, decision: Decision) -> Decision | None:
        """Return a decision that this process may carry out; where the setting says so, a person promotes.

        As long as there is an objection to a version, it does not become champion.
        """
        becomes_champion = decision.outcome in {"promote", "roll back"}
        if becomes_champion and self._aliases.objection(store, decision.duel.challenger):
            return None
        return None if decision.outcome == "promote" and self._settings.promotion == "manual" else decision

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[bool]:
        """Hold the lock of the process that decides; yield whether this process has it."""
        lock = process_lock(self._settings.database_url, "deciding")
        is_alone = await asyncio.to_thread(lock.__enter__)
        try:
            yield is_alone
        finally:
            await asyncio.to_thread(lock.__exit__, None, None, None)

    async def _act(self, decision: Decision) -> None:
        """Carry out a decision. A process that is killed meanwhile leaves a state from which the next look goes on."""
        duel, outcome, reason = decision.duel, decision.outcome, decision.reason
        logger.warning("version %d: %s: %s", decision.new.number, outcome, reason)
        if duel.champion.number != duel.challenger.number:
            await self._store.write(lambda of: self._write_outcome(of, decision))
        match outcome:
            case "promote":
                await self._aliases.replace_champion(duel.challenger, duel.champion, "promoted", reason)
            case "roll back":
                await self._aliases.replace_champion(duel.challenger, None, "rolled back", reason)
            case "retire" | "end":
                await self._aliases.retire_challenger()

    def _write_outcome(self, store: Store, decision: Decision) -> None:
        number = decision.new.number
        if decision.outcome in ("roll back", "retire"):
            learnt = store.trials.learnt_by(self._problem.name, number)
            because = f"version {number} had learnt it, and was taken back: {decision.reason}"
            store.suggestions.quarantine([each.id for each in learnt], because)
        store.trials.decided(self._problem.name, number, f"{decision.outcome}: {decision.reason}")

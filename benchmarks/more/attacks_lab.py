"""A simulated lab that vets corrections before it learns them, and rolls versions back, as the services do.

The verdicts on corrections come from `trust/rules.py` and `trust/quotas.py`, those on live versions from
`common/judgement/betting.py`. Nobody reviews: a correction in quarantine stays there.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.more.judging_world import BATCH, Lab, Outcome, Version, first, join, newest
from common.bundle.export import export_tested
from common.bundle.model import OnnxModel
from common.judgement.betting import Outcome as LiveOutcome
from common.judgement.betting import judge_probation, judge_trial
from common.judgement.gate import ACCEPTED, INSUFFICIENT, REFUSED
from common.problem import Table
from common.split import split
from finetune.evidence import TRUTHS
from trust.rules import Finding, Grounds, ask_anchor, keys_of, vet_rows

PASSED = "passed"


@dataclass
class Duel:
    """The version that has learnt corrections last, and the one that answers the same rows beside it.

    Attributes:
        new: the version that has learnt.
        old: the champion before it.
        on_trial: whether the new one is a challenger; if not, it is a champion on probation.
        taught: how many corrections the new one learnt first.
        counts: ground truths that only the new one (1), only the old one (-1), and both or none (0) answered rightly.
    """

    new: Version
    old: Version
    on_trial: bool
    taught: int
    counts: Counter[int] = field(default_factory=Counter)

    def decide(self, margin: float) -> LiveOutcome | None:
        """Return what the ground truths so far decide."""
        wins, losses, ties = self.counts[1], self.counts[-1], self.counts[0]
        return judge_trial(wins, losses, ties, margin) if self.on_trial else judge_probation(wins, losses, ties)


@dataclass
class Tried:
    """A candidate that was picked: its true change against the champion of then, and whether it ever served."""

    change: float
    served: bool
    rolled_back: bool = False


@dataclass
class GuardedLab(Lab):
    """A lab whose corrections are vetted, and whose versions are judged by ground truths while they serve.

    Attributes:
        vetting: whether corrections are vetted.
    """

    vetting: bool = True

    def __post_init__(self) -> None:
        """Train the first version; no correction has come yet."""
        self.duel: Duel | None = None
        self.tried: list[Tried] = []
        self.found: list[Finding | None] = []
        super().__post_init__()
        self.told = first(self.train, 0)  # the newest ground truths, whatever the anchor
        self.ready = first(self.train, 0)  # passed, and not judged yet
        self._grounds: Grounds | None = None
        self._bundles: dict[int, OnnxModel] = {}

    def come(self, truths: int, silent: int) -> None:
        """Let predictions come; each ground truth counts for the version that has learnt last."""
        super().come(truths, silent)
        fresh = first(self.live, truths)
        self.told, self._grounds = newest(fresh, self.told, TRUTHS), None
        if self.duel:
            self._count(fresh)

    def send(self, batch: Table, sources: Sequence[str] = ()) -> list[str]:
        """Take corrections in, fine-tune if enough of them passed; return for each the rule that stopped it."""
        self.come(self.truths, self.silent)
        rules = self.vet(batch) if self.vetting else [PASSED] * len(batch.y)
        passed = np.array([rule == PASSED for rule in rules], dtype=np.bool_)
        self.ready = join(self.ready, Table(batch.X[passed], batch.y[passed]))
        if len(self.ready.y) >= BATCH:
            ready, self.ready = self.ready, first(self.ready, 0)
            self.fine_tune(ready)
        return rules

    def vet(self, batch: Table) -> list[str]:
        """Return for each correction the rule that stops it, or `PASSED`."""
        problem = self.world.problem
        if self._grounds is None:
            self._grounds = Grounds(problem, self.train, self.told)
        others: dict[str, set[int]] = {}
        for known in (self.learnt, self.waiting, self.ready):
            for key, label in zip(keys_of(known.X), known.y.tolist(), strict=True):
                others.setdefault(key, set()).add(label)
        found = vet_rows(self._grounds, batch, ask_anchor(self._bundle(self.anchor), problem, batch.X), others=others)
        return [each.rule if each else PASSED for each in found]

    def fine_tune(self, batch: Table) -> Outcome:
        """Fine-tune; a refused batch is tried again without older corrections, which may be to blame."""
        before, older = self.champion, len(self.waiting.y)
        outcome = super().fine_tune(batch)
        if outcome.verdict == REFUSED and older:
            self.waiting, older = first(batch, 0), 0
            outcome = super().fine_tune(batch)
        self.tried.append(Tried(outcome.change, outcome.served))
        if self.gate == "evidence" and outcome.verdict in (ACCEPTED, INSUFFICIENT):
            self.duel = Duel(outcome.candidate, before, not outcome.served, older + len(batch.y))
        return outcome

    def _count(self, truths: Table) -> None:
        """Count ground truths for and against the newest version, and do at once what they decide."""
        assert self.duel  # noqa: S101  # the caller looks
        right = [version.answers(truths.X) == truths.y for version in (self.duel.new, self.duel.old)]
        for difference in (right[0].astype(int) - right[1]).tolist():
            self.duel.counts[difference] += 1
            if outcome := self.duel.decide(self.world.problem.margin):
                self._act(self.duel, outcome)
            if self.duel is None:
                return

    def _act(self, duel: Duel, outcome: LiveOutcome) -> None:
        match outcome:
            case "promote":
                self.champion, duel.on_trial, self.tried[-1].served = duel.new, False, True
                return
            case "roll back":
                self.champion, self.tried[-1].rolled_back = duel.old, True
                self.anchor = duel.old if self.anchor is duel.new else self.anchor
        if outcome in ("roll back", "retire"):
            # The corrections that the version learnt first go into quarantine.
            self.learnt = first(self.learnt, len(self.learnt.y) - duel.taught)
        self.duel = None

    def _bundle(self, version: Version) -> OnnxModel:
        known = self._bundles.get(id(version))
        if known is None:
            fitting, _ = split(self.train)
            known = export_tested(version.model, self.world.problem, fitting, self.test, self.scorer).bundle
            self._bundles = {id(version): known}
        return known

"""A simulated lab that vets corrections before it learns them, and rolls versions back, as the services do.

The verdicts on corrections come from `trust/`, those on live versions from `common/judgement/betting.py`. Nobody
reviews: a correction in quarantine stays there, unless a second source says the same.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from benchmarks.more.judging_batches import plausible
from benchmarks.more.judging_world import BATCH, Lab, Outcome, Version, first, join, newest
from common.bundle.export import export_tested
from common.bundle.model import OnnxModel
from common.judgement.betting import Outcome as LiveOutcome
from common.judgement.betting import judge_probation, judge_trial
from common.judgement.gate import ACCEPTED, INSUFFICIENT, REFUSED
from common.problem import Table
from common.settings import Settings
from common.split import split
from finetune.evidence import TRUTHS
from trust.vetting.quotas import Quotas, Used, over_quota
from trust.vetting.rules import Finding, Grounds, VettingLimits, ask_anchor, keys_of, strange
from trust.vetting.verdicts import Claim, Standing, Voucher, decide

PASSED = "passed"
ROUNDS_A_DAY = 10  # batches of five that come in 24 hours


def default_limits() -> VettingLimits:
    """Return the limits of vetting that the settings have if nobody changes them."""
    settings = Settings.model_construct()
    return VettingLimits(settings.vetting_neighbours, settings.vetting_probability)


@dataclass
class Tried:
    """A candidate that was picked: its true change against the champion of then, and what became of it."""

    change: float
    served: bool
    rolled_back: bool = False


@dataclass
class Duel:
    """The version that has learnt corrections last, and the one that answers the same rows beside it.

    Attributes:
        new: the version that has learnt.
        old: the champion before it.
        on_trial: whether the new one is a challenger; if not, it is a champion on probation.
        taught: how many corrections the new one learnt first.
        tried: the new one, as the lab remembers it.
        counts: ground truths that only the new one (1), only the old one (-1), and both or none (0) answered rightly.
    """

    new: Version
    old: Version
    on_trial: bool
    taught: int
    tried: Tried
    counts: Counter[int] = field(default_factory=Counter)

    def decide(self, margin: float) -> LiveOutcome | None:
        """Return what the ground truths so far decide."""
        wins, losses, ties = self.counts[1], self.counts[-1], self.counts[0]
        return judge_trial(wins, losses, ties, margin) if self.on_trial else judge_probation(wins, losses, ties)


@dataclass
class GuardedLab(Lab):
    """A lab whose corrections are vetted, and whose versions are judged by ground truths while they serve.

    Attributes:
        limits: of the rules of vetting; None for a lab that does not vet.
        quotas: of corrections without a review; None for a lab without reviewers.
        false_truths: the share of the ground truths that a plausible liar tells, because no key is asked for.
    """

    limits: VettingLimits | None = field(default_factory=default_limits)
    quotas: Quotas | None = None
    false_truths: float = 0.0

    def __post_init__(self) -> None:
        """Train the first version; no correction has come yet."""
        self.duel: Duel | None = None
        self.tried: list[Tried] = []
        super().__post_init__()
        self.told = first(self.train, 0)  # the newest ground truths, whatever the anchor
        self.forget()
        self._grounds: Grounds | None = None
        self._bundle: tuple[Version, OnnxModel] | None = None

    def forget(self) -> None:
        """Forget all corrections that have come, as long as no version has learnt one."""
        self.ready = self.review = first(self.train, 0)  # passed and not judged yet; waiting for a review
        self.ready_from: list[str] = []  # the networks of those that are ready
        self.review_claims: list[Claim] = []
        self.rounds = 0
        self._confirmed: set[tuple[str, int]] = set()
        self._passed: list[tuple[int, str]] = []  # the round and the network of all that passed

    def come(self, truths: int, silent: int) -> None:
        """Let predictions come; each ground truth counts for the version that has learnt last."""
        super().come(truths, silent)
        self._lie_about_truths(int(self.false_truths * truths / BATCH))
        fresh = first(self.live, truths)
        self.told, self._grounds = newest(fresh, self.told, TRUTHS), None
        if self.duel and truths:
            self._count(self.duel, fresh)

    def send(self, batch: Table, sources: Sequence[str] = ()) -> list[str]:
        """Let predictions come, then corrections; fine-tune if enough of them passed.

        Returns:
            For each correction the rule that stopped it, or `PASSED`.
        """
        self.come(self.truths, self.silent)
        self.rounds += 1
        networks = list(sources) or ["a liar"] * len(batch.y)
        if self.limits:
            rules = self.vet(batch, networks)
        else:
            rules = [PASSED] * len(batch.y)
            self._take(batch, networks)
        if len(self.ready.y) >= BATCH:
            ready, self.ready, self.ready_from = self.ready, first(self.ready, 0), []
            self.fine_tune(ready)
        return rules

    def vet(self, batch: Table, networks: Sequence[str]) -> list[str]:
        """Take in the corrections that pass, keep the others for a review; return the rule that stopped each."""
        problem = self.world.problem
        if self._grounds is None:
            self._grounds = Grounds(problem, self.train, self.told)
        found = strange(self._grounds, batch, ask_anchor(self.bundle(), problem, batch.X), self.limits)
        claims = [
            Claim(f"{self.rounds} {place}", key, label, network)
            for place, (key, label, network) in enumerate(
                zip(keys_of(batch.X), batch.y.tolist(), networks, strict=True)
            )
        ]
        verdicts = decide(claims, self._others({each.key for each in claims}), self._grounds, found, self._quota())
        self._release(set(verdicts.released))
        self._hold(set(verdicts.contradicted))
        outcomes = [verdicts.new[each.id] for each in claims]
        self._confirmed |= {
            (each.key, each.label) for each, of in zip(claims, outcomes, strict=True) if of.outcome == "exempt"
        }
        let_in = [each.outcome in ("passed", "exempt") for each in outcomes]
        self._take(_where(batch, let_in), [network for network, is_in in zip(networks, let_in, strict=True) if is_in])
        waits = [each.outcome == "quarantined" for each in outcomes]
        self._keep(_where(batch, waits), [claim for claim, does in zip(claims, waits, strict=True) if does])
        return [PASSED if is_in else each.rule for each, is_in in zip(outcomes, let_in, strict=True)]

    def fine_tune(self, batch: Table) -> Outcome:
        """Fine-tune; a refused batch is tried again without older corrections, which may be to blame."""
        before, older = self.champion, len(self.waiting.y)
        outcome = super().fine_tune(batch)
        if outcome.verdict == REFUSED and older:
            self.waiting, older = first(batch, 0), 0
            outcome = super().fine_tune(batch)
        self.tried.append(Tried(outcome.change, outcome.served))
        if self.gate == "evidence" and outcome.verdict in (ACCEPTED, INSUFFICIENT):
            self.duel = Duel(outcome.candidate, before, not outcome.served, older + len(batch.y), self.tried[-1])
        return outcome

    def bundle(self) -> OnnxModel:
        """Return the bundle of the anchor."""
        if self._bundle is None or self._bundle[0] is not self.anchor:
            fitting, _ = split(self.train)
            tested = export_tested(self.anchor.model, self.world.problem, fitting, self.test, self.scorer)
            self._bundle = self.anchor, tested.bundle
        return self._bundle[1]

    def _lie_about_truths(self, batches: int) -> None:
        """Let batches of ground truths come from a liar instead, about rows of his own."""
        told = Table(self.live.X[batches * BATCH :], self.live.y[batches * BATCH :])
        for _ in range(batches):
            told = join(plausible(self, 0), told)
        self.live = told

    def _quota(self) -> "OverQuota":
        if self.quotas is None:
            return OverQuota(None, Used())
        day = [network for when, network in self._passed if when > self.rounds - ROUNDS_A_DAY]
        rows = sum(len(table.y) for table in (self.learnt, self.waiting, self.ready))
        return OverQuota(self.quotas, Used(Counter(self.ready_from), Counter(day), rows))

    def _others(self, keys: set[str]) -> list[Claim]:
        """Return earlier corrections of these rows; the number of those that wait for the next version is their id."""
        found = []
        standings: tuple[tuple[Standing, Table], ...] = (
            ("learnt", self.learnt), ("waiting", self.waiting), ("waiting", self.ready)
        )  # fmt: skip
        for place, (standing, table) in enumerate(standings):
            for row, (key, label) in enumerate(zip(keys_of(table.X), table.y.tolist(), strict=True)):
                name = f"ready {row}" if table is self.ready else f"older {place} {row}"
                voucher: Voucher = "confirmed" if (key, label) in self._confirmed else ""
                found.append(Claim(name, key, label, None, standing, voucher))
        return [each for each in (*found, *self.review_claims) if each.key in keys]

    def _take(self, batch: Table, networks: Sequence[str]) -> None:
        self.ready = join(self.ready, batch)
        self.ready_from += networks
        self._passed += [(self.rounds, network) for network in networks]

    def _keep(self, batch: Table, claims: Sequence[Claim]) -> None:
        self.review = join(self.review, batch)
        self.review_claims += [replace(each, standing="in review") for each in claims]

    def _release(self, ids: set[str]) -> None:
        """Take corrections in that a second source has confirmed."""
        out = [each.id in ids for each in self.review_claims]
        released = [each for each in self.review_claims if each.id in ids]
        self._confirmed |= {(each.key, each.label) for each in released}
        self._take(_where(self.review, out), [each.network or "" for each in released])
        self.review = _where(self.review, [not each for each in out])
        self.review_claims = [each for each in self.review_claims if each.id not in ids]

    def _hold(self, ids: set[str]) -> None:
        """Let corrections wait for a review that have passed, and are contradicted before a version learns them."""
        out = [f"ready {row}" in ids for row in range(len(self.ready.y))]
        held = _where(self.ready, out)
        claims = [
            Claim(f"held {self.rounds} {row}", key, label, None)
            for row, (key, label) in enumerate(zip(keys_of(held.X), held.y.tolist(), strict=True))
        ]
        self.ready_from = [network for network, is_out in zip(self.ready_from, out, strict=True) if not is_out]
        self.ready = _where(self.ready, [not each for each in out])
        self._keep(held, claims)

    def _count(self, duel: Duel, truths: Table) -> None:
        """Count ground truths for and against the newest version, and do at once what they decide."""
        new, old = (version.answers(truths.X) == truths.y for version in (duel.new, duel.old))
        for difference in (new.astype(int) - old).tolist():
            duel.counts[difference] += 1
            outcome = duel.decide(self.world.problem.margin)
            if outcome:
                self._act(duel, outcome)
            if outcome not in (None, "promote"):
                return

    def _act(self, duel: Duel, outcome: LiveOutcome) -> None:
        if outcome == "promote":
            self.champion, duel.on_trial, duel.tried.served = duel.new, False, True
            return
        if outcome == "roll back":
            self.champion, duel.tried.rolled_back = duel.old, True
            self.anchor = duel.old if self.anchor is duel.new else self.anchor
        if outcome in ("roll back", "retire"):
            # The corrections that the version learnt first go into quarantine.
            self.learnt = first(self.learnt, len(self.learnt.y) - duel.taught)
        self.duel = None


@dataclass(frozen=True)
class OverQuota:
    """Says whether a correction is too many, and counts it if not, as the vetting of the flow does."""

    quotas: Quotas | None
    used: Used

    def __call__(self, claim: Claim) -> Finding | None:
        """Return the quota that a correction would break."""
        if self.quotas is None:
            return None
        if finding := over_quota(self.quotas, self.used, claim.network):
            return finding
        self.used.add(claim.network)
        return None


def _where(table: Table, which: Sequence[bool]) -> Table:
    rows = np.array(which, dtype=np.bool_)
    return Table(table.X[rows], table.y[rows])

"""The verdict on each correction of a batch, in the order of the rules; pure, and the same for the same rows.

A correction is compared with those that came before it: with earlier ones in the store, and with earlier ones of its
batch.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from common.store.trust.vettings import Outcome
from trust.vetting.rules import Finding, Grounds, contradiction, known

# Where a correction is: it is new, a version has learnt it, it waits for a version or for a reviewer, or a version that
# had learnt it was taken back.
Standing = Literal["new", "learnt", "waiting", "in review", "taken back"]
# Why a correction needs no vetting, in `WORDS`; an empty text if it needs some.
Voucher = Literal["", "reviewer", "truth", "confirmed"]
CONFIRMED = "two sources say the same"
WORDS: Mapping[Voucher, str] = {
    "reviewer": "a reviewer sent it",
    "truth": "a trusted source told the ground truth of its prediction",
    "confirmed": CONFIRMED,
}


@dataclass(frozen=True)
class Claim:
    """A correction, as the rules see it.

    Attributes:
        id: of the correction.
        key: of its row; equal rows have the same.
        label: the index of the claimed class; -1 for a class that the problem does not have.
        network: from where it came.
        standing: where it is.
        voucher: why it needs no vetting.
    """

    id: str
    key: str
    label: int
    network: str | None
    standing: Standing = "new"
    voucher: Voucher = ""


@dataclass(frozen=True)
class RuleVerdict:
    """The outcome for a correction, with the reason."""

    outcome: Outcome
    rule: str
    number: float | None
    reason: str


@dataclass
class Verdicts:
    """The verdicts on a batch.

    Attributes:
        new: those on its corrections, by id.
        released: corrections in quarantine that a second source has confirmed, with the reason.
        contradicted: older corrections that no version has learnt, and that one of the batch contradicts.
    """

    new: dict[str, RuleVerdict] = field(default_factory=dict)
    released: dict[str, str] = field(default_factory=dict)
    contradicted: dict[str, RuleVerdict] = field(default_factory=dict)


PASSED = RuleVerdict("passed", "none", None, "it breaks no rule")


def decide(
    batch: Sequence[Claim],
    others: Sequence[Claim],
    grounds: Grounds,
    strange: Sequence[Finding | None],
    over_quota: Callable[[Claim], Finding | None],
) -> Verdicts:
    """Return the verdicts on a batch of corrections.

    Args:
        batch: the corrections, in the order in which they came.
        others: earlier corrections of the same rows.
        grounds: the known rows.
        strange: for each correction of the batch, what `strange` finds.
        over_quota: is asked last, once for each correction that would pass or that two sources confirm, and counts it
            unless it finds something.
    """
    verdicts = Verdicts()
    by_row: dict[str, dict[str, Claim]] = defaultdict(dict)
    for each in others:
        by_row[each.key][each.id] = each
    for claim, finding in zip(batch, strange, strict=True):
        same_row = by_row[claim.key]
        verdict = _verdict(claim, list(same_row.values()), grounds, finding)
        if verdict and verdict.rule == "confirmed" and (too_many := over_quota(claim)):
            # The two sources may be one liar's, so their word breaks no quota.
            verdict = _of(too_many, "quarantined")
        if verdict and verdict.outcome == "exempt":
            _release(claim, same_row, verdicts)
        verdicts.new[claim.id] = verdict = verdict or _passes(claim, over_quota)
        if verdict.outcome != "known":
            standing: Standing = "in review" if verdict.outcome == "quarantined" else "waiting"
            voucher: Voucher = "confirmed" if verdict.outcome == "exempt" else ""
            same_row[claim.id] = replace(claim, standing=standing, voucher=voucher)
            _contradict(claim, same_row, grounds, verdicts)
    return verdicts


def _verdict(claim: Claim, same_row: Sequence[Claim], grounds: Grounds, finding: Finding | None) -> RuleVerdict | None:
    """Return the verdict of all rules but the quotas; None if the correction breaks none of them."""
    if claim.voucher == "reviewer":
        return _exempt("reviewer")
    same = [each for each in same_row if each.label == claim.label]
    confirmed: Voucher = "confirmed" if any(each.network != claim.network for each in same) else ""
    voucher = claim.voucher or confirmed
    if already := _known(claim, same, grounds, voucher):
        return _of(already, "known")
    if voucher:
        return _exempt(voucher)
    found = _contradiction(claim, same_row, grounds) or finding
    return _of(found, "quarantined") if found else None


def _known(claim: Claim, same: Sequence[Claim], grounds: Grounds, voucher: Voucher) -> Finding | None:
    if claim.label in grounds.labels_of(claim.key):
        return known("train.csv")
    if any(each.standing != "in review" for each in same):
        return known("another correction")
    return known("another correction, which waits for a review,") if same and not voucher else None


def _contradiction(claim: Claim, same_row: Sequence[Claim], grounds: Grounds) -> Finding | None:
    if against := grounds.labels_of(claim.key):
        return contradiction("train.csv", _names(grounds, against))
    if against := {each.label for each in same_row} - {claim.label}:
        return contradiction("another correction", _names(grounds, against))
    return None


def _release(claim: Claim, same_row: dict[str, Claim], verdicts: Verdicts) -> None:
    """Let those out of quarantine that say the same as a correction for which somebody vouches."""
    for other in list(same_row.values()):
        if other.label != claim.label or other.standing != "in review":
            continue
        if other.id in verdicts.new:
            verdicts.new[other.id] = _exempt("confirmed")
        else:
            verdicts.released[other.id] = CONFIRMED
            verdicts.contradicted.pop(other.id, None)
        same_row[other.id] = replace(other, standing="waiting", voucher="confirmed")


def _passes(claim: Claim, over_quota: Callable[[Claim], Finding | None]) -> RuleVerdict:
    finding = over_quota(claim)
    return _of(finding, "quarantined") if finding else PASSED


def _contradict(claim: Claim, same_row: dict[str, Claim], grounds: Grounds, verdicts: Verdicts) -> None:
    """Let those wait that claim another class for the row, unless somebody vouches for them or they are learnt."""
    for other in list(same_row.values()):
        if other.label == claim.label or other.standing != "waiting" or other.voucher:
            continue
        verdict = _of(contradiction("another correction", _names(grounds, {claim.label})), "quarantined")
        if other.id in verdicts.new:
            verdicts.new[other.id] = verdict
        else:
            verdicts.contradicted[other.id] = verdict
        same_row[other.id] = replace(other, standing="in review")


def _exempt(voucher: Voucher) -> RuleVerdict:
    return RuleVerdict("exempt", voucher, None, WORDS[voucher])


def _of(finding: Finding, outcome: Outcome) -> RuleVerdict:
    return RuleVerdict(outcome, finding.rule, finding.number, finding.reason)


def _names(grounds: Grounds, labels: set[int]) -> list[str]:
    classes = grounds.problem.target.classes
    return [classes[each] if each >= 0 else "an unknown class" for each in sorted(labels)]

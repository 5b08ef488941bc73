"""The gate: from the answers of a candidate and of two baselines on the same rows to one of four verdicts.

`comparison.py` says how two versions are compared.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from common.judgement.comparison import ClassChange, PairedComparison, compare, with_limits
from common.judgement.world import rows_of_present  # room: world
from common.problem import Ints
from common.rows import Bools

Verdict = Literal["accepted", "insufficient evidence", "no effect", "refused"]
# The labels of the rows that were taught, the champion's answers to them, and the candidate's.
Taught = tuple[Ints, Ints, Ints]

ACCEPTED: Verdict = "accepted"
INSUFFICIENT: Verdict = "insufficient evidence"
NO_EFFECT: Verdict = "no effect"
REFUSED: Verdict = "refused"
# From the worst verdict to the best. Clients without the key get these words: figures would help a liar to find out how
# far a lie may go.
WORDS: Mapping[str, str] = {
    REFUSED: "The new version would be worse than the present one, so it does not serve.",
    NO_EFFECT: "The new version answers nothing more of what it was taught than the present one, so it does not serve.",
    INSUFFICIENT: "There is not enough evidence yet to say whether the new version is as good as the present one.",
    ACCEPTED: "The evidence shows that the new version is as good as the present one, or better.",
}
CHAMPION, ANCHOR = "champion", "anchor"
MAX_WANTED = 33
SPEND_FROM = 1_000  # fresh rows, from which the level of a try depends on the number of tries


@dataclass(frozen=True)
class Evidence:
    """Rows on which versions are compared, newest first.

    Attributes:
        truth: class indices `[rows]`, -1 where the ground truth is unknown.
        fresh: whether a row was answered live since the anchor was set `[rows]`; the others are those of test.csv.
        ids: the prediction id of each row; an empty text for a row of test.csv.
    """

    truth: Ints
    fresh: Bools
    ids: Sequence[str]


@dataclass(frozen=True)
class Rules:
    """The limits of the gate.

    Attributes:
        margin: the loss of accuracy that does not matter.
        alpha: the probability with which a limit may be wrong.
        class_loss: the loss of recall of one class that is too much.
        tries: the number of candidates judged since the anchor was set, with this one.
    """

    margin: float
    alpha: float = 0.05
    class_loss: float = 0.05
    tries: int = 1

    @property
    def spent_alpha(self) -> float:
        """The level of this try: over all tries the levels sum to `alpha`, as the sum of 1 / t^2 is pi^2 / 6."""
        return self.alpha * 6 / (math.pi * self.tries) ** 2


@dataclass(frozen=True)
class Judgement:
    """A verdict with its reasons.

    Attributes:
        verdict: one of the four.
        because: the reason in one sentence, with the figures.
        words: the verdict in words without figures, for clients without the key.
        against: the comparisons with champion and anchor.
        taught: number of rows that the candidate was taught.
        taught_before: how many of them the champion answers as taught.
        taught_after: how many of them the candidate answers as taught.
        wanted: ids of predictions whose ground truth would help to decide, the most helpful first.
        rows_missing: how many further rows, which all versions answer alike, would make the candidate accepted.
        better: whether the candidate is certainly better than the anchor on fresh rows with ground truth.
        nothing_against: whether no baseline is ahead on rows with ground truth.
        world_changed: whether rows do not count, because newer ground truths contradict them.
        rules: the limits of the gate.
        alphas: the levels of the lower and of the upper limits.
    """

    verdict: Verdict
    because: str
    words: str
    against: Mapping[str, PairedComparison]
    taught: int
    taught_before: int
    taught_after: int
    wanted: tuple[str, ...]
    rows_missing: int
    better: bool
    nothing_against: bool
    world_changed: bool
    rules: Rules
    alphas: tuple[float, float]

    @property
    def figures(self) -> Mapping[str, float]:
        """The numbers to compare candidates by: those against the champion, and the lower limit against the anchor."""
        champion = self.against[CHAMPION]
        return {
            **{name: getattr(champion, name) for name in ("gain", "harm", "unknown", "n", "low", "high")},
            "anchor_low": self.against[ANCHOR].low,
            "taught": self.taught,
            "taught_before": self.taught_before,
            "taught_after": self.taught_after,
        }

    def as_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON has."""
        return asdict(self)


def judge(  # noqa: PLR0913, PLR0917  # three versions on the same rows
    candidate: Ints,
    champion: Ints,
    anchor: Ints,
    evidence: Evidence,
    taught: Taught,
    rules: Rules,
    classes: Sequence[str],
) -> Judgement:
    """Return the verdict on a candidate.

    Args:
        candidate: its answers to the rows of the evidence, class indices `[rows]`.
        champion: the champion's answers.
        anchor: the anchor's answers.
        evidence: the rows; none of them was taught.
        taught: labels and answers of the rows that were taught, `[taught]` each; without rows every effect is welcome.
        rules: the limits.
        classes: the class names, by index.
    """
    baselines = {CHAMPION: champion, ANCHOR: anchor}
    counted: Bools = np.ones(len(evidence.truth), dtype=np.bool_)
    counted = rows_of_present(baselines.values(), evidence.truth, evidence.fresh, rules.alpha)  # room: world
    changed = not counted.all()
    # The two baselines share out the level of the upper limits.
    levels = (rules.alpha, rules.alpha / 2)
    against = {
        name: compare(candidate[counted], answers[counted], evidence.truth[counted], classes, levels)
        for name, answers in baselines.items()
    }
    known = counted & evidence.fresh & (evidence.truth >= 0)
    rows = known if any(each.set_aside for each in against.values()) else evidence.fresh
    if rows.sum() >= SPEND_FROM:
        levels = (rules.spent_alpha, rules.alpha / 2)
        against = {name: with_limits(each, levels) for name, each in against.items()}
    labels, before, after = taught
    learnt_before, learnt_after = int((before == labels).sum()), int((after == labels).sum())
    if refusal := next(filter(None, (_refusal(name, each, rules) for name, each in against.items())), None):
        verdict, because = REFUSED, refusal
    elif learnt_after <= learnt_before < len(labels) and against[CHAMPION].low <= 0:
        verdict = NO_EFFECT
        because = (
            f"of {len(labels)} rows taught, the champion answers {learnt_before} as taught, and the candidate "
            f"{learnt_after}"
        )
    else:
        name, worst = min(against.items(), key=lambda item: item[1].low)
        verdict = ACCEPTED if worst.low > -rules.margin else INSUFFICIENT
        limit = f"at worst {_points(worst.low)}, where {_points(-rules.margin)} would be too much"
        because = f"against the {name}, the candidate {worst.text}: {limit}"
    open_ = verdict == INSUFFICIENT
    wanted = _wanted(candidate, champion, anchor, evidence) if open_ else ()
    missing = max(each.rows_missing(rules.margin, levels[0]) for each in against.values()) if open_ else 0
    if open_:
        labels_or = f"ground truths of the {len(wanted)} wanted predictions, or " if wanted else ""
        because += f"; {labels_or}{missing} more rows that all answer alike would decide"
    if changed:
        because += f"; newer ground truths show a changed world: {(~counted).sum()} rows do not count"
    alphas = (rules.spent_alpha, rules.alpha)
    live = compare(candidate[known], anchor[known], evidence.truth[known], classes, alphas)
    return Judgement(
        verdict, because, WORDS[verdict], against, len(labels), learnt_before, learnt_after, wanted, missing,
        better=live.low > 0, nothing_against=all(each.gain >= each.harm for each in against.values()),
        world_changed=changed, rules=rules, alphas=levels,
    )  # fmt: skip


def pick(judgements: Mapping[str, Judgement]) -> str:
    """Return the name of the best candidate: by verdict, then by lower limit against the champion, then the first."""
    order = list(WORDS)
    return max(
        judgements, key=lambda name: (order.index(judgements[name].verdict), judgements[name].against[CHAMPION].low)
    )


def is_worse(against: PairedComparison, class_loss: float) -> bool:
    """Return whether a candidate is certainly worse than a baseline, or has lost too much recall of a class."""
    return against.high < 0 or _lost(against, class_loss) is not None


def _lost(against: PairedComparison, class_loss: float) -> ClassChange | None:
    """Return a class that has lost too much recall, unless the candidate is certainly better for all together."""
    return None if against.is_worth_a_class else against.lost(class_loss)


def _refusal(name: str, against: PairedComparison, rules: Rules) -> str | None:
    if lost := _lost(against, rules.class_loss):
        counts = f"right alone on {lost.gain}, wrong alone on {lost.harm} of its {lost.n} rows"
        limit = f"{_points(lost.change)}, at best {_points(lost.high)}"
        return f"against the {name}, the candidate loses recall of {lost.name}: {counts} ({limit})"
    if against.high < 0:
        return f"against the {name}, the candidate {against.text}: at best {_points(against.high)}"
    return None


def _wanted(candidate: Ints, champion: Ints, anchor: Ints, evidence: Evidence) -> tuple[str, ...]:
    differ = (candidate != champion).astype(np.int64) + (candidate != anchor)
    order = np.argsort(-differ, kind="stable")
    found = [evidence.ids[row] for row in order if differ[row] and evidence.truth[row] < 0 and evidence.ids[row]]
    return tuple(found[:MAX_WANTED])


def _points(share: float) -> str:
    return f"{100 * share:+.1f} points"

"""Streams of ten batches of lies, and of honest corrections, against `VETTING`, `GATE` and `PROMOTION`.

`python -m benchmarks.more.attacks_streams` prints a quick run of few labs, with seeds that the page does not report.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.harness.report import Claim, Report
from benchmarks.more.attacks import BEFORE, CRUDE, INTERVALS, Shares
from benchmarks.more.attacks_lab import PASSED, GuardedLab
from benchmarks.more.attacks_rows import HONEST
from benchmarks.more.judging import BATCHES, CANCER, IRIS, TRAVEL, mean_text, simulate
from benchmarks.more.judging_batches import BAD
from benchmarks.more.judging_world import TOLERANCE, world_of

SIZES: Mapping[str, int] = {IRIS: 4, CANCER: 8, TRAVEL: 1}
QUICK: Mapping[str, int] = {IRIS: 1, CANCER: 2}
ON: Mapping[str, Any] = {}
OFF: Mapping[str, Any] = {"limits": None}
# By VETTING, GATE, PROMOTION. To the threshold, both ways of promotion are the same: it knows no open verdict.
DEFENCES: Mapping[str, Mapping[str, Any]] = {
    "off, threshold": {**OFF, "gate": "threshold"},
    "off, evidence, optimistic": {**OFF, "promotion": "optimistic"},
    "off, evidence, cautious": {**OFF, "promotion": "cautious"},
    "on, threshold": {**ON, "gate": "threshold"},
    "on, evidence, optimistic": {**ON, "promotion": "optimistic"},
    "on, evidence, cautious": {**ON, "promotion": "cautious"},
}
DEFAULT = "on, evidence, optimistic"
TEXT = (
    "Ten batches of five corrections of one kind come to each simulated lab, one batch after the other, with 40 "
    "ground truths and 160 other predictions before each, 200 and 1 000 before the first. The columns are `VETTING`, "
    "`GATE`, `PROMOTION`; the threshold knows no open verdict, so that `PROMOTION` changes nothing there. Corrections"
    " that wait for a review stay where they are. With the gate on evidence, ground truths promote, retire and roll "
    "back, as the api does; the threshold has no shadow and no rollback. The quotas are off, as they are without "
    "`REVIEW_KEY`. Travel insurance is measured with the defaults alone. *Worse* is a loss of more than 2 points of "
    "true accuracy, at the end of the stream or of a candidate. Lies that are stopped are counted over the nine "
    "kinds, with what is honest in the two mixed kinds. {intervals}"
)


@dataclass(frozen=True)
class Attack:
    """One stream.

    Attributes:
        end: the true change of accuracy at its end.
        stopped: how many of its corrections vetting stopped.
        sent: how many came.
        worse: how many candidates were more than 2 points worse.
        let_through: how many of these have served.
    """

    end: float
    stopped: int
    sent: int
    worse: int
    let_through: int


def attack(name: str, defence: str, seed: int) -> Mapping[str, Attack]:
    """Let a stream of each kind come to a lab of its own."""
    found = {}
    for kind, batch in {**BAD, **HONEST}.items():
        lab = GuardedLab(world_of(name), seed, **DEFENCES[defence])
        lab.come(*BEFORE)
        rules = [rule for number in range(BATCHES) for rule in lab.send(batch(lab, number))]
        worse = [each for each in lab.tried if each.change < -TOLERANCE]
        found[kind] = Attack(
            lab.champion.accuracy - lab.first.accuracy,
            sum(rule != PASSED for rule in rules), len(rules), len(worse), sum(each.served for each in worse),
        )  # fmt: skip
    return found


def measure(labs: Mapping[str, int] | None = None, first_seed: int = 0) -> Report:
    """Attack labs with seeds from `first_seed` on; `labs` are their numbers by problem."""
    sizes = labs or SIZES
    names = [name for name, count in sizes.items() if count]
    work = {
        f"{name}: {defence}": [
            partial(attack, name, defence, seed) for seed in range(first_seed, first_seed + sizes[name])
        ]
        for name in names
        for defence in defences_of(name)
    }
    found = simulate(work)
    rows, claims = [], []
    for name in names:
        by_defence = [found.get(f"{name}: {defence}", []) for defence in DEFENCES]
        rows += _rows(name, by_defence)
        crude = _worse(found[f"{name}: {DEFAULT}"], CRUDE)
        title = f"{name}, streams of crude lies with vetting and gate: 2 points worse at the end"
        claims.append(Claim(title, f"{crude.hits} of {crude.of}", "", "", "none", crude.hits == 0))
    header = ("", *DEFENCES)
    return Report("Attacks: streams", TEXT.format(intervals=INTERVALS), header, rows, claims)


Runs = Sequence[Mapping[str, Attack]]


def defences_of(name: str) -> Sequence[str]:
    """Return the defences that labs of a problem have; travel insurance, which is slow, has the defaults alone."""
    return [DEFAULT] if name == TRAVEL else list(DEFENCES)


def _rows(name: str, by_defence: Sequence[Runs]) -> list[Sequence[str]]:
    labs = max(len(runs) for runs in by_defence)

    def row(what: str, figure: Callable[[Runs], str]) -> Sequence[str]:
        return f"{name}, {what}", *(figure(runs) if runs else "–" for runs in by_defence)

    rows = [row(f"{kind}: labs worse at the end, of {labs}", partial(_worse_labs, kind=kind)) for kind in BAD]
    rows.append(row("all nine kinds: worse at the end", lambda runs: _worse(runs, tuple(BAD)).text))
    crude = "flips, far out, duplicates, contradictions: worse at the end"
    rows.append(row(crude, lambda runs: _worse(runs, CRUDE).text))
    rows.append(row("worse candidates: let through, of all such", _let_through))
    rows.append(row("nine kinds: stopped by vetting", lambda runs: _stopped(runs, tuple(BAD))))
    for kind, title in (("good", "good rows"), ("mistakes", "true mistakes")):
        rows.append(row(f"{title}: stopped by vetting", partial(_stopped, kinds=(kind,))))
        rows.append(row(f"{title}: accuracy changes by, points", partial(_change, kind=kind)))
    return rows


def _worse_labs(runs: Runs, kind: str) -> str:
    return str(_worse(runs, (kind,)).hits)


def _change(runs: Runs, kind: str) -> str:
    return mean_text([100 * run[kind].end for run in runs], 2)


def _worse(runs: Runs, kinds: Sequence[str]) -> Shares:
    return Shares([(sum(run[kind].end < -TOLERANCE for kind in kinds), len(kinds)) for run in runs])


def _let_through(runs: Runs) -> str:
    each = [(sum(a.let_through for a in run.values()), sum(a.worse for a in run.values())) for run in runs]
    shares = Shares(each)
    return f"{shares.text} of {shares.of}" if shares.of else "no such candidate"


def _stopped(runs: Runs, kinds: Sequence[str]) -> str:
    return Shares([(sum(run[k].stopped for k in kinds), sum(run[k].sent for k in kinds)) for run in runs]).text


if __name__ == "__main__":
    print(measure(QUICK, 9_000).markdown())

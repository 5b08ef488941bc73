"""Row by row: the share of lies that vetting stops, by rule, and that of honest corrections.

`python -m benchmarks.more.attacks_rows` prints a quick run of few labs, with seeds that the page does not report.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.harness.report import Claim, Report
from benchmarks.more.attacks import BEFORE, CRUDE, GOOD_STOPPED, INTERVALS, PROBLEMS, STOPPED, Shares, met
from benchmarks.more.attacks_lab import PASSED, GuardedLab
from benchmarks.more.judging import CANCER, IRIS, TRAVEL, simulate
from benchmarks.more.judging_batches import BAD, good, mistakes
from benchmarks.more.judging_world import BATCH, world_of

SIZES: Mapping[str, int] = {IRIS: 60, CANCER: 60, TRAVEL: 8}
QUICK: Mapping[str, int] = {IRIS: 4, CANCER: 4, TRAVEL: 0}
BATCHES, GOOD_BATCHES = 8, 60  # of each kind in a lab; of good rows, few of which are stopped
HONEST = {"good": good, "mistakes": mistakes}
NAMES = {"good": "good rows", "mistakes": "true mistakes of the champion"}
TEXT = (
    "Batches of five corrections are vetted, {batches} of each kind ({good} of good rows) in each simulated "
    "lab, each as if it were the first that comes; *stopped* ones are known already, or wait for a review. "
    "The nine kinds of lies and the worlds are those of *The judge*; "
    "of *one lie in five* and *good and lies in turn* the lies alone count, and of "
    "*duplicates* four of five are known by definition. *Good rows* are rows by chance with their true classes, "
    "*true mistakes* those that the champion answers wrongly. The rules are `trust/vetting/rules.py` and "
    "`trust/vetting/verdicts.py` with the defaults of the settings. A new lab knows train.csv alone; afterwards 200 "
    "live ground truths count as neighbours, too. Wanted is for a new lab. {intervals}"
)
HEADER = ("", "wanted", "a new lab", "met", "with 200 live truths", "by rule, a new lab", "rows of labs")


@dataclass(frozen=True)
class Kind:
    """The rules that stopped corrections of one kind, without and with live ground truths."""

    new: Counter[str]
    live: Counter[str]


def vetted(name: str, seed: int) -> Mapping[str, Kind]:
    """Vet batches of each kind in a lab; return the rules that decided, by kind."""
    found: dict[str, Kind] = {kind: Kind(Counter(), Counter()) for kind in (*BAD, *HONEST)}
    lab = GuardedLab(world_of(name), seed)
    for state in ("new", "live"):
        if state == "live":
            lab.come(*BEFORE)
        for kind, batch in {**BAD, **HONEST}.items():
            for number in range(GOOD_BATCHES if kind == "good" else BATCHES):
                lab.forget()
                rules = lab.vet(batch(lab, number), ["a client"] * BATCH)
                getattr(found[kind], state).update(lies_of(kind, number, rules))
    return found


def lies_of(kind: str, number: int, rules: Sequence[str]) -> Sequence[str]:
    """Return the verdicts on the lies of a batch; of an honest batch all verdicts."""
    if kind == "one lie in five":
        return rules[-1:]
    return [] if kind == "good and lies in turn" and number % 2 == 0 else rules


def measure(labs: Mapping[str, int] | None = None, first_seed: int = 0) -> Report:
    """Vet in labs with seeds from `first_seed` on; `labs` are their numbers by problem."""
    sizes = labs or SIZES
    work = {
        name: [partial(vetted, name, seed) for seed in range(first_seed, first_seed + sizes[name])]
        for name in PROBLEMS
        if sizes[name]
    }
    rows, claims = [], []
    for name, runs in simulate(work).items():
        for kind in (*BAD, *HONEST):
            row, claim = _row(name, kind, [run[kind] for run in runs])
            rows.append(row)
            claims += claim
    text = TEXT.format(batches=BATCHES, good=GOOD_BATCHES, intervals=INTERVALS)
    return Report("Attacks: single corrections", text, HEADER, rows, claims)


def _row(name: str, kind: str, runs: Sequence[Kind]) -> tuple[Sequence[str], list[Claim]]:
    new, live = (_stopped([getattr(run, state) for run in runs]) for state in ("new", "live"))
    wanted, is_met = "–", True
    if kind in CRUDE:
        wanted, is_met = f"≥ {STOPPED:.0%}".replace("%", " %"), new.value >= STOPPED
    elif kind == "good":
        wanted, is_met = f"≤ {GOOD_STOPPED[name]:.0%}".replace("%", " %"), new.value <= GOOD_STOPPED[name]
    title = f"{name}: {NAMES.get(kind, kind)}"
    total = sum((run.new for run in runs), Counter[str]())
    by_rule = ", ".join(f"{rule} {100 * count / new.of:.1f} %" for rule, count in total.most_common() if rule != PASSED)
    has_bar = wanted != "–"
    row = (
        title, wanted, new.text, met(new.of, is_met=is_met) if has_bar else "–", live.text, by_rule or "–",
        f"{new.of:,} of {len(runs)}",
    )  # fmt: skip
    claim = Claim(f"vetting stops, {title}", new.text, "", "", wanted, is_met)
    return row, [claim] if has_bar else []


def _stopped(counts: Sequence[Counter[str]]) -> Shares:
    return Shares([(each.total() - each[PASSED], each.total()) for each in counts])


if __name__ == "__main__":
    print(measure(QUICK, 9_000).markdown())

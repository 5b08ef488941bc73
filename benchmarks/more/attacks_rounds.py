"""The plausible liar over 200 rounds, against more and more defences; and a changed world, which is no attack.

`python -m benchmarks.more.attacks_rounds` prints a quick run of few labs, with seeds that the page does not report.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness.report import Claim, Report
from benchmarks.more.attacks import BEFORE, INTERVALS, Shares, met
from benchmarks.more.attacks_lab import PASSED, ROUNDS_A_DAY, GuardedLab
from benchmarks.more.judging import CANCER, IRIS, TRAVEL, mean_text, simulate
from benchmarks.more.judging_batches import mistakes, plausible
from benchmarks.more.judging_world import BATCH, TOLERANCE, longer_petals, world_of
from common.problem import Table
from common.settings import Settings
from trust.vetting.quotas import Quotas, quotas_of

ROUNDS = {IRIS: 200, CANCER: 200, TRAVEL: 30}
CHANGED_BATCHES = 5
MOST_WAITING, LEAST_ACCURACY = 0.2, 0.9
TWO = ("one address", "another address")
VETTING: Mapping[str, Any] = {}
NO_VETTING: Mapping[str, Any] = {"limits": None}


@dataclass(frozen=True)
class Scene:
    """A liar and a lab.

    Attributes:
        rule: the arguments of the lab.
        liar: `one` address, a new address for each lie (`many`), or `two` that send each lie both.
        labs: how many, by problem.
        quotas: whether the quotas hold.
        wanted: whether no lab may ever be more than 2 points worse.
    """

    rule: Mapping[str, Any]
    liar: str
    labs: Mapping[str, int]
    quotas: bool = False
    wanted: bool = False


SCENES: Mapping[str, Scene] = {
    "the threshold alone": Scene({**NO_VETTING, "gate": "threshold"}, "one", {CANCER: 4}),
    "gate and rollback": Scene(NO_VETTING, "one", {CANCER: 4}),
    "vetting, gate and rollback": Scene(VETTING, "one", {CANCER: 4}),
    "all, one address": Scene(VETTING, "one", {IRIS: 4, CANCER: 8, TRAVEL: 1}, quotas=True, wanted=True),
    "all, an address for each lie": Scene(VETTING, "many", {IRIS: 6, CANCER: 16, TRAVEL: 1}, quotas=True, wanted=True),
    "all, two addresses that confirm each other": Scene(VETTING, "two", {IRIS: 6, CANCER: 8}, quotas=True, wanted=True),
    "all, an address for each lie, and lies about a quarter of the ground truths": Scene(
        {**VETTING, "false_truths": 0.25}, "many", {IRIS: 3, CANCER: 6}, quotas=True
    ),
}
TEXT = (
    "In each of {rounds} rounds ({travel} of travel insurance), {a_day} a day, a liar sends the five rows of 400 "
    "about which the champion doubts most, each with the wrong one of its two likeliest classes; 40 ground truths and"
    " 160 other predictions come before each round. *All* is vetting, the quotas of a lab with `REVIEW_KEY` (2 of one"
    " source in a batch, 20 a day, unreviewed corrections at most {share} of train.csv), the gate on evidence, "
    "`PROMOTION=optimistic`, and the rollback. Nobody reviews. *Loss* is the largest loss of true accuracy at any "
    "time, *recall* that of a class's recall. *Lies about a quarter of the ground truths*: the liar also tells ground"
    " truths, false ones of rows like those of the corrections, because no `API_KEY` is set; with the key they would "
    "not count. {intervals}"
)
HEADER = (
    "", "wanted", "loss, points", "largest", "largest of recall", "ever more than 2 points worse", "lies that passed",
    "versions that served", "of them rolled back", "labs", "met",
)  # fmt: skip
CHANGED_TEXT = (
    "Petals are measured 25 % too long from now on. Then 25 corrections come in batches of five, each of five rows "
    "that the version of then answers wrongly, with their true classes; `VETTING` is on, with the defaults. In the "
    "first row, 200 ground truths have come before, and none comes afterwards; in the second, 40 more come before "
    "each batch; in the third, none has ever come, and what waits needs a review, or ground truths. {intervals}"
)
CHANGED_HEADER = (
    "", "wait for a review", "by rule", "accuracy before", "accuracy afterwards", "labs below 0.90", "labs", "wanted",
    "met",
)  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """The end of an attack: the largest losses of accuracy and of a class's recall at any time, and counts."""

    loss: float
    recall: float
    passed: int
    sent: int
    served: int
    rolled_back: int


def lie(name: str, scene: str, seed: int, rounds: int | None = None) -> Ended:
    """Let a plausible liar send corrections to a lab."""
    play, world = SCENES[scene], world_of(name)
    lab = GuardedLab(world, seed, quotas=default_quotas(world.train) if play.quotas else None, **play.rule)
    lab.come(*BEFORE)
    passed, sent, loss, recall = 0, 0, 0.0, 0.0
    for number in range(rounds or ROUNDS[name]):
        batch = plausible(lab, number)
        if play.liar == "two":
            batch = Table(np.repeat(batch.X, 2, axis=0), np.repeat(batch.y, 2))
        rules = lab.send(batch, addresses(play.liar, number, len(batch.y)))
        passed, sent = passed + sum(rule == PASSED for rule in rules), sent + len(rules)
        loss = max(loss, lab.first.accuracy - lab.champion.accuracy)
        recall = max(recall, float(np.max(np.subtract(lab.first.recalls, lab.champion.recalls))))
    served = [each for each in lab.tried if each.served]
    return Ended(loss, recall, passed, sent, len(served), sum(each.rolled_back for each in served))


def addresses(liar: str, number: int, rows: int) -> list[str]:
    """Return from where the corrections of a round come."""
    if liar == "many":
        return [f"address {number * BATCH + row}" for row in range(rows)]
    return [TWO[row % 2] if liar == "two" else TWO[0] for row in range(rows)]


def default_quotas(training_rows: int) -> Quotas:
    """Return the quotas that the settings have if nobody changes them, and somebody reviews."""
    quotas = quotas_of(Settings.model_construct(quotas="on"), training_rows)
    assert quotas  # noqa: S101  # they are on
    return quotas


def measure_liar(labs: Callable[[str, str], int] | None = None, first_seed: int = 0) -> Report:
    """Let liars attack labs with seeds from `first_seed` on; `labs` gives their number for a problem and a scene."""
    count = labs or (lambda name, scene: SCENES[scene].labs.get(name, 0))
    work = {
        f"{name}: {scene}": [
            partial(lie, name, scene, seed) for seed in range(first_seed, first_seed + count(name, scene))
        ]
        for name in (IRIS, CANCER, TRAVEL)
        for scene in SCENES
        if count(name, scene)
    }
    rows, claims = [], []
    for title, runs in simulate(work).items():
        name, scene = title.split(": ")
        rounds, has_bar = ROUNDS[name], SCENES[scene].wanted
        lost = Shares([(int(run.loss > TOLERANCE), 1) for run in runs])
        is_met = lost.hits == 0
        rows.append((
            title, "none" if has_bar else "–", mean_text([100 * run.loss for run in runs], 1),
            f"{100 * max(run.loss for run in runs):.1f}", f"{100 * max(run.recall for run in runs):.1f}", lost.text,
            Shares([(run.passed, run.sent) for run in runs]).text, str(sum(run.served for run in runs)),
            str(sum(run.rolled_back for run in runs)), str(len(runs)),
            met(lost.of, is_met=is_met) if has_bar else "–",
        ))  # fmt: skip
        if has_bar:
            what = f"the plausible liar, {rounds} rounds, {title}: ever more than 2 points worse"
            claims.append(Claim(what, f"{lost.hits} of {lost.of}", "", "", "none", is_met))
    share = f"{Settings.model_construct().quota_share:.0%}".replace("%", " %")
    text = TEXT.format(rounds=ROUNDS[IRIS], travel=ROUNDS[TRAVEL], a_day=ROUNDS_A_DAY, share=share, intervals=INTERVALS)
    return Report("Attacks: the plausible liar", text, HEADER, rows, claims)


@dataclass(frozen=True)
class Followed:
    """A lab in the changed world: the rules that decided on its 25 corrections, and its accuracy before and after."""

    rules: Sequence[str]
    before: float
    after: float


def follow(truths_before: int, truths_later: int, seed: int) -> Followed:
    """Let 25 true corrections come to a lab whose world has changed."""
    lab = GuardedLab(world_of(IRIS), seed, truths=truths_later)
    lab.live_in(longer_petals(lab.world.draw))
    lab.come(truths_before, BEFORE[1])
    rules = [rule for number in range(CHANGED_BATCHES) for rule in lab.send(mistakes(lab, number))]
    return Followed(rules, lab.first.accuracy, lab.champion.accuracy)


def measure_changed(labs: int = 10, first_seed: int = 0) -> Report:
    """Change the world of labs with seeds from `first_seed` on."""
    seeds = range(first_seed, first_seed + labs)
    scenes = {"200 live truths": (200, 0), "200, then 40 with each batch": (200, 40), "no live truth": (0, 0)}
    found = simulate({scene: [partial(follow, *truths, seed) for seed in seeds] for scene, truths in scenes.items()})
    rows, claims = [], []
    for number, (scene, runs) in enumerate(found.items()):
        waits = Shares([(sum(rule != PASSED for rule in run.rules), len(run.rules)) for run in runs])
        after = float(np.mean([run.after for run in runs]))
        is_met = waits.value <= MOST_WAITING and after >= LEAST_ACCURACY
        all_rules = [rule for run in runs for rule in run.rules if rule != PASSED]
        by_rule = ", ".join(f"{rule} {100 * all_rules.count(rule) / waits.of:.1f} %" for rule in sorted(set(all_rules)))
        low = sum(run.after < LEAST_ACCURACY for run in runs)
        rows.append((
            scene, waits.text, by_rule or "–", mean_text([run.before for run in runs], 3),
            mean_text([run.after for run in runs], 3), str(low), str(labs),
            *(("≤ 20 % wait, accuracy ≥ 0.90", met(labs, is_met=is_met)) if number == 0 else ("–", "–")),
        ))  # fmt: skip
        if number == 0:
            waiting = waits.value <= MOST_WAITING
            claims = [
                Claim("vetting in a changed world: corrections that wait", waits.text, "", "", "≤ 20 %", waiting),
                Claim(
                    "vetting in a changed world: accuracy after 25 corrections",
                    mean_text([run.after for run in runs], 3), "", "", "≥ 0.90", after >= LEAST_ACCURACY,
                ),
            ]  # fmt: skip
    return Report(
        "Attacks: a changed world is none", CHANGED_TEXT.format(intervals=INTERVALS), CHANGED_HEADER, rows, claims
    )


if __name__ == "__main__":
    print(measure_changed(2, 9_000).markdown())
    print(measure_liar(lambda name, _: int(name == CANCER), 9_000).markdown())

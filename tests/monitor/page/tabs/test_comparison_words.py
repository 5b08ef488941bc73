"""The verdict on champion and challenger in words."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.judgement.betting import PROMOTE_AT, RETIRE_AT, ROLL_BACK_AT, judge_probation, judge_trial
from common.store.statistics import Paired
from monitor.page.findings import gauge_share
from monitor.page.tabs.comparison_words import SIGNIFICANT, gauges, p_value, progress, standing, total, verdict
from monitor.statistics.duel import LiveDuel
from monitor.statistics.enough import LABELS

CHAMPION, CHALLENGER = 3, 4
RIGHT = {new: f"version {new} is right where version {old} is wrong" for new, old in ((4, 3), (3, 4))}
BETTER = {new: f"Version {new} is better: right where version {old} is wrong" for new, old in ((4, 3), (3, 4))}
COUNTS = st.integers(0, 120)
TRIAL = LiveDuel(new=4, old=3, on_trial=True, wins=31, losses=6, ties=60, margin=0.02)


@pytest.mark.parametrize(
    ("paired", "level", "words"),
    [
        (Paired(50, 6, 31, 5), "watch", f"{BETTER[4]} 31 times, the other way 6 times."),
        (Paired(50, 12, 3, 5), "good", f"{BETTER[3]} 12 times, the other way 3 times."),
        (Paired(50, 0, 40, 5), "watch", f"{BETTER[4]} 40 times, the other way never."),
        (Paired(50, 4, 1, 5), "unknown", f"No difference is proven: {RIGHT[3]} 4 times, the other way once."),
        (Paired(50, 4, 4, 5), "unknown", f"No difference is proven: {RIGHT[4]} 4 times, the other way 4 times."),
        (
            Paired(50, 0, 0, 5),
            "unknown",
            "No difference is seen: both versions are right, or both wrong, on all 55 rows.",
        ),
        (Paired(0, 0, 40, 0), "unknown", "Not enough data: 40 of 50 ground truths of rows that both versions have"),
    ],
)
def test_the_verdict_is_one_sentence(paired: Paired, level: str, words: str) -> None:
    found = verdict(paired, CHAMPION, CHALLENGER)
    assert found
    assert (found.level, found.text[: len(words)]) == (level, words)


def test_without_a_ground_truth_there_is_no_verdict() -> None:
    assert verdict(Paired(), CHAMPION, CHALLENGER) is None


@given(counts=st.tuples(COUNTS, COUNTS, COUNTS, COUNTS))
def test_a_version_is_called_better_only_if_the_test_says_so(counts: tuple[int, int, int, int]) -> None:
    paired = Paired(*counts)
    found = verdict(paired, CHAMPION, CHALLENGER)
    text = found.text if found else ""
    proven = total(paired) >= LABELS and p_value(paired) < SIGNIFICANT
    assert ("better" in text) == proven
    if proven:
        better = CHAMPION if paired.only_champion_right > paired.only_challenger_right else CHALLENGER
        assert text.startswith(f"Version {better} is better")
    assert (found is not None and found.level != "unknown") == proven


@given(wins=COUNTS, losses=COUNTS, ties=COUNTS, on_trial=st.booleans())
def test_a_gauge_is_full_exactly_when_the_lab_acts(wins: int, losses: int, ties: int, *, on_trial: bool) -> None:
    duel = replace(TRIAL, wins=wins, losses=losses, ties=ties, on_trial=on_trial)
    found = gauges(duel)
    if duel.truths < LABELS:
        assert [(each.value, each.words) for each in found] == [
            (None, f"not enough data: {duel.truths} of {LABELS} ground truths")
        ] * len(found)
        return
    full = {each.name for each in found if each.value and gauge_share(each.value, each.threshold) >= 1}
    assert full == {each.name for each in found if each.words.startswith("reached")}
    outcome = judge_trial(wins, losses, ties, 0.02) if on_trial else judge_probation(wins, losses, ties)
    acts = {"promote": "Towards promotion", "retire": "Towards retirement", "roll back": "Towards roll-back"}
    assert (acts[outcome] in full) if outcome in acts else (full == set())


def test_the_thresholds_are_those_at_which_the_lab_acts() -> None:
    assert [each.threshold for each in gauges(TRIAL)] == [PROMOTE_AT, RETIRE_AT]
    assert [each.threshold for each in gauges(replace(TRIAL, on_trial=False))] == [ROLL_BACK_AT]
    assert gauges(replace(TRIAL, margin=None))[0].words == "unknown: the monitor has no file of this problem"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "hardly any evidence so far"),
        (1.0, "hardly any evidence so far"),
        (2.0, "less than half of the way"),
        (9.9, "less than half of the way"),
        (10.1, "more than half of the way"),
        (99.0, "more than half of the way"),
        (100.0, "reached"),
        (float("inf"), "reached"),
    ],
)
def test_an_e_value_is_somewhere_on_its_way(value: float, words: str) -> None:
    assert progress(value, 100.0) == words
    assert 0 <= gauge_share(value, 100.0) <= 1.25


def test_the_standing_of_the_new_version_is_told() -> None:
    assert standing(TRIAL) == (
        "Version 4 is challenger, on trial; it ends after 2,000 ground truths at the latest. So far there are 97: "
        "version 4 alone is right 31 times, version 3 alone 6 times."
    )

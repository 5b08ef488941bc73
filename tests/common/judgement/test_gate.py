"""The gate's verdicts, what they are made from, and what they say."""

import json
from collections.abc import Sequence

import numpy as np
import pytest

from common.judgement.gate import ACCEPTED, INSUFFICIENT, NO_EFFECT, REFUSED, Evidence, Judgement, Rules, judge, pick
from common.problem import Ints

CLASSES = ("a", "b")
SEED = 20261128
NOTHING = (np.zeros(0, np.int64),) * 3


def ints(values: Sequence[int]) -> Ints:
    return np.array(values, dtype=np.int64)


def shuffled(*rows: Ints) -> list[Ints]:
    """Return rows in one random order: one kind after the other would look like a changed world."""
    order = np.random.default_rng(SEED).permutation(len(rows[0]))
    return [each[order] for each in rows]


def case(  # noqa: PLR0913  # each is what some test is about
    agree: int,
    gain: int = 0,
    harm: int = 0,
    unknown: int = 0,
    *,
    silent: int = 0,
    test_rows: int = 0,
    anchor: Ints | None = None,
    rules: Rules | None = None,
    taught: tuple[Ints, Ints, Ints] = NOTHING,
) -> Judgement:
    """Judge a candidate on live rows of class b, and on rows of test.csv that all answer rightly.

    `agree` rows have a ground truth, and `silent` ones have none; all versions answer them alike. The live rows come in
    any order: one kind after the other would look like a changed world.
    """
    truth = ints([1] * (agree + gain + harm) + [-1] * (unknown + silent) + [1] * test_rows)
    champion = ints([1] * agree + [0] * gain + [1] * harm + [1] * (unknown + silent) + [1] * test_rows)
    candidate = ints([1] * agree + [1] * gain + [0] * harm + [0] * unknown + [1] * (silent + test_rows))
    live = len(truth) - test_rows
    order = np.concatenate([np.random.default_rng(SEED).permutation(live), np.arange(live, len(truth))])
    ids = [f"p{row}" if row < live else "" for row in order]
    evidence = Evidence(truth[order], order < live, ids)
    anchor = champion if anchor is None else anchor
    limits = rules or Rules(0.02)
    return judge(candidate[order], champion[order], anchor[order], evidence, taught, limits, CLASSES)


def test_rows_answered_alike_show_that_the_candidate_is_no_worse_even_without_ground_truth() -> None:
    assert case(0, silent=133).verdict == ACCEPTED
    found = case(0, silent=132)
    assert found.verdict == INSUFFICIENT
    assert found.rows_missing == 1


def test_an_unknown_row_counts_as_harm_for_the_lower_limit_and_as_gain_for_the_upper() -> None:
    [unknown, harm, gain] = [
        each.against["champion"]
        for each in (case(9, silent=900, unknown=9), case(9, harm=9, silent=900), case(9, gain=9, silent=900))
    ]
    assert (unknown.unknown, unknown.gain, unknown.harm, unknown.n) == (9, 0, 0, 918)
    assert unknown.low == harm.low
    assert unknown.high == gain.high


def test_unlabelled_disagreements_alone_refuse_nothing() -> None:
    assert case(40, unknown=40).verdict == INSUFFICIENT


def test_a_candidate_that_is_certainly_worse_is_refused() -> None:
    found = case(200, gain=1, harm=9)
    assert found.verdict == REFUSED
    assert "right alone on 1" in found.because
    assert not found.nothing_against


def test_a_candidate_is_compared_with_the_anchor_too() -> None:
    agree, drifted = 300, 12
    anchor = ints([1] * (agree + drifted))
    [champion] = shuffled(ints([1] * agree + [0] * drifted))
    evidence = Evidence(anchor, np.ones(agree + drifted, dtype=np.bool_), ["p"] * (agree + drifted))
    found = judge(champion, champion, anchor, evidence, NOTHING, Rules(0.02), CLASSES)
    assert found.against["champion"].low > -0.02
    assert found.verdict == REFUSED
    assert found.because.startswith("against the anchor")


def test_a_class_that_lost_recall_refuses_although_accuracy_is_safe() -> None:
    rare, common = 60, 4_000
    truth = ints([1] * rare + [0] * common)
    champion = truth.copy()
    candidate = ints([0] * 8 + [1] * (rare - 8) + [0] * common)
    evidence = Evidence(truth, np.zeros(rare + common, dtype=np.bool_), [""] * (rare + common))
    found = judge(candidate, champion, champion, evidence, NOTHING, Rules(0.02, class_loss=0.05), CLASSES)
    assert found.against["champion"].low > -0.02
    assert found.verdict == REFUSED
    assert "recall of b" in found.because
    loose = judge(candidate, champion, champion, evidence, NOTHING, Rules(0.02, class_loss=0.2), CLASSES)
    assert "recall" not in loose.because


def test_a_class_may_lose_recall_to_a_candidate_that_is_certainly_better_for_the_classes_together() -> None:
    truth = ints([0] * 100 + [1] * 100)
    champion, candidate = ints([1] * 90 + [0] * 10 + [1] * 100), ints([0] * 100 + [0] * 12 + [1] * 88)
    # The other class gains less than this one loses.
    less = ints([1] * 85 + [0] * 15 + [0] * 12 + [1] * 88)
    truth, champion, candidate, less = shuffled(truth, champion, candidate, less)
    evidence = Evidence(truth, np.ones(200, dtype=np.bool_), ["p"] * 200)
    assert judge(candidate, champion, champion, evidence, NOTHING, Rules(0.02), CLASSES).verdict == ACCEPTED
    assert judge(less, champion, champion, evidence, NOTHING, Rules(0.02), CLASSES).verdict == REFUSED


def test_more_rows_of_a_common_class_do_not_outweigh_a_rare_class() -> None:
    rare, common = 60, 4_000
    truth = ints([1] * rare + [0] * common)
    champion = ints([1] * rare + [1] * 100 + [0] * (common - 100))
    candidate = ints([0] * 8 + [1] * (rare - 8) + [0] * common)
    evidence = Evidence(truth, np.zeros(rare + common, dtype=np.bool_), [""] * (rare + common))
    found = judge(candidate, champion, champion, evidence, NOTHING, Rules(0.02), CLASSES)
    assert found.against["champion"].low > 0
    assert found.verdict == REFUSED


def test_a_candidate_that_answers_no_more_as_taught_has_no_effect() -> None:
    labels, before = ints([1, 1, 0]), ints([0, 1, 0])
    assert case(500, taught=(labels, before, before)).verdict == NO_EFFECT
    assert case(500, taught=(labels, before, labels)).verdict == ACCEPTED
    assert case(200, harm=9, taught=(labels, before, before)).verdict == REFUSED


def test_a_candidate_that_is_certainly_better_has_an_effect_whatever_was_taught() -> None:
    labels, before = ints([1, 1, 0]), ints([0, 1, 0])
    assert case(200, gain=20, taught=(labels, before, before)).verdict == ACCEPTED


def test_rows_that_confirm_the_champion_are_judged_on_the_evidence_alone() -> None:
    labels = ints([1, 1, 0])
    found = case(500, taught=(labels, labels, labels))
    assert found.verdict == ACCEPTED
    assert (found.taught, found.taught_before, found.taught_after) == (3, 3, 3)


def test_open_verdicts_name_at_most_33_predictions_whose_truth_would_help() -> None:
    found = case(10, unknown=40)
    assert len(set(found.wanted)) == 33
    assert set(found.wanted) <= {f"p{row}" for row in range(10, 50)}
    assert case(2_000, unknown=3).wanted == ()


def test_predictions_that_differ_from_both_baselines_are_wanted_first() -> None:
    truth = ints([-1, -1, -1])
    evidence = Evidence(truth, np.ones(3, dtype=np.bool_), ["one", "both", "none"])
    found = judge(ints([1, 1, 1]), ints([0, 0, 1]), ints([1, 0, 1]), evidence, NOTHING, Rules(0.02), CLASSES)
    assert found.wanted == ("both", "one")


@pytest.mark.parametrize(("agree", "harm", "unknown"), [(60, 0, 30), (10, 1, 0), (90, 2, 9)])
def test_as_many_further_rows_as_are_said_to_be_missing_decide(agree: int, harm: int, unknown: int) -> None:
    found = case(agree, harm=harm, unknown=unknown)
    assert found.verdict == INSUFFICIENT
    assert case(agree + found.rows_missing, harm=harm, unknown=unknown).verdict == ACCEPTED
    assert case(agree + found.rows_missing - 1, harm=harm, unknown=unknown).verdict == INSUFFICIENT


def test_a_large_change_is_judged_by_the_rows_with_ground_truth() -> None:
    found = case(120, gain=60, unknown=240, silent=700)
    assert found.verdict == ACCEPTED
    assert found.against["champion"].set_aside
    assert found.against["champion"].known == 180
    assert "240 others of unknown truth" in found.because
    assert case(120, harm=60, unknown=240, silent=700).verdict == REFUSED


def test_setting_rows_aside_is_wrong_no_more_often_than_alpha_says() -> None:
    rng = np.random.default_rng(11)
    wrong = 0
    for _ in range(1_500):
        gain, harm, _ = rng.multinomial(200, (0.01, 0.03, 0.96))
        unknown = rng.binomial(1_000, 0.04)
        found = case(200 - gain - harm, gain, harm, unknown, silent=1_000 - unknown)
        wrong += found.verdict == ACCEPTED
    assert wrong / 1_500 < 0.065


def test_test_rows_count_until_live_truths_contradict_them() -> None:
    assert case(60, gain=2, test_rows=200).against["champion"].n == 262
    found = case(60, gain=25, test_rows=200)
    assert found.world_changed
    assert found.against["champion"].n == 85
    assert "200 rows do not count" in found.because


def test_ground_truths_of_the_old_world_do_not_count() -> None:
    """The newest 200 live rows are of a new world, in which the champion answers class a as b."""
    old, new = 300, 200
    truth = ints([0, 1] * (new // 2) + [0, 1] * (old // 2))
    champion = ints([1, 1] * (new // 2) + [0, 1] * (old // 2))
    candidate = ints([0, 1] * (new // 2) + [1, 0] * (old // 2))
    evidence = Evidence(truth, np.ones(old + new, dtype=np.bool_), ["p"] * (old + new))
    found = judge(candidate, champion, champion, evidence, NOTHING, Rules(0.02), CLASSES)
    assert (found.verdict, found.world_changed, found.better) == (ACCEPTED, True, True)
    assert 150 <= found.against["champion"].n <= 200


def test_a_hundred_ground_truths_are_the_fewest_that_make_a_new_world() -> None:
    truth = ints([0] * 60 + [0, 1] * 150)
    champion = ints([1] * 60 + [0, 1] * 150)
    evidence = Evidence(truth, np.ones(360, dtype=np.bool_), ["p"] * 360)
    found = judge(champion, champion, champion, evidence, NOTHING, Rules(0.02), CLASSES)
    assert found.against["champion"].n >= 100


def test_a_world_that_does_not_change_is_seldom_taken_for_another() -> None:
    rng = np.random.default_rng(SEED)
    changes = 0
    for _ in range(200):
        truth = rng.integers(0, 2, 500)
        champion = np.where(rng.random(500) < 0.05, 1 - truth, truth)
        evidence = Evidence(truth, np.ones(500, dtype=np.bool_), ["p"] * 500)
        changes += judge(champion, champion, champion, evidence, NOTHING, Rules(0.02), CLASSES).world_changed
    assert changes <= 10  # 5 % at most by the level; fewer, because the places depend on each other


def test_a_champion_that_has_followed_the_world_is_no_reason_to_trust_test_rows_again() -> None:
    # The champion answers live rows rightly and half of test.csv wrongly.
    truth, live = ints([1] * 100), np.arange(100) < 60
    champion = ints([1] * 60 + [0] * 20 + [1] * 20)
    found = judge(champion, champion, champion, Evidence(truth, live, ["p"] * 100), NOTHING, Rules(0.02), CLASSES)
    assert found.world_changed


def test_from_1000_fresh_rows_on_each_try_since_the_anchor_makes_the_limit_stricter() -> None:
    [first, tenth] = [
        case(0, silent=1_200, rules=Rules(0.02, tries=tries)).against["champion"].low for tries in (1, 10)
    ]
    assert tenth < first
    [few_first, few_tenth] = [
        case(0, silent=900, rules=Rules(0.02, tries=tries)).against["champion"].low for tries in (1, 10)
    ]
    assert few_first == few_tenth


def test_all_tries_together_spend_alpha_once() -> None:
    spent = sum(Rules(0.02, alpha=0.05, tries=tries).spent_alpha for tries in range(1, 100_000))
    assert spent == pytest.approx(0.05, rel=1e-4)


def test_a_candidate_is_better_only_by_fresh_rows_with_ground_truth() -> None:
    assert case(200, gain=12, harm=1).better
    assert not case(200, gain=1).better
    assert not case(200, unknown=30).better


def test_nothing_speaks_against_a_candidate_that_gains_as_much_as_it_harms() -> None:
    assert case(10, gain=1, harm=1).nothing_against
    assert not case(10, gain=1, harm=2).nothing_against


def test_no_evidence_is_insufficient_and_nothing_against() -> None:
    found = case(0)
    assert found.verdict == INSUFFICIENT
    assert found.nothing_against


def test_the_words_for_clients_have_no_figures() -> None:
    for found in (case(500), case(3), case(200, harm=9), case(9, taught=(ints([1]), ints([0]), ints([0])))):
        assert not any(character.isdigit() for character in found.words)


def test_a_judgement_becomes_json_and_keeps_its_figures() -> None:
    found = case(60, gain=1, unknown=2)
    read = json.loads(json.dumps(found.as_dict()))
    assert read["verdict"] == "insufficient evidence"
    assert read["against"]["anchor"]["gain"] == 1
    assert read["against"]["anchor"]["classes"][1] == {"name": "b", "gain": 1, "harm": 0, "n": 61} | {
        "high": read["against"]["anchor"]["classes"][1]["high"]
    }
    assert read["wanted"] == list(found.wanted)


def test_the_better_verdict_is_picked_then_the_higher_limit_then_the_first() -> None:
    accepted, refused, better = case(500), case(200, harm=9), case(500, gain=5)
    assert pick({"continued": refused, "refitted": accepted}) == "refitted"
    assert pick({"continued": accepted, "refitted": better}) == "refitted"
    assert pick({"continued": accepted, "refitted": accepted}) == "continued"

"""The gate: which aliases a verdict brings, and the threshold, which needs 90 % accuracy on the test rows."""

from dataclasses import replace

import numpy as np
import pytest
from onnx import ModelProto

from common.bundle import export
from common.bundle.model import OnnxModel
from common.judgement.comparison import PairedComparison
from common.judgement.gate import WORDS, Judgement, Rules, Verdict
from common.problem import Problem
from finetune.gate import Promotion, aliases_for, by_threshold

EVEN = PairedComparison(gain=0, harm=0, unknown=0, n=200, known=200, low=-0.01, high=0.01)
JUDGED = Judgement(
    "accepted", "because", WORDS["accepted"], {"champion": EVEN, "anchor": EVEN}, 5, 0, 5, (), 0,
    better=False, nothing_against=True, world_changed=False, rules=Rules(0.02), alphas=(0.05, 0.05),
)  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "promotion", "aliases"),
    [
        ("accepted", "optimistic", ("champion",)),
        ("accepted", "cautious", ("champion",)),
        ("accepted", "manual", ("challenger",)),
        ("insufficient evidence", "optimistic", ("champion",)),
        ("insufficient evidence", "cautious", ("challenger",)),
        ("insufficient evidence", "manual", ("challenger",)),
        *[(verdict, rule, ()) for verdict in ("no effect", "refused") for rule in ("optimistic", "cautious", "manual")],
    ],
)
def test_verdict_and_setting_decide_which_aliases_a_version_gets(
    verdict: Verdict, promotion: Promotion, aliases: tuple[str, ...]
) -> None:
    assert aliases_for(replace(JUDGED, verdict=verdict), promotion) == aliases


@pytest.mark.parametrize("promotion", ["optimistic", "cautious", "manual"])
def test_a_version_that_ground_truths_speak_against_is_on_trial_first(promotion: Promotion) -> None:
    doubtful = replace(JUDGED, verdict="insufficient evidence", nothing_against=False)
    assert aliases_for(doubtful, promotion) == ("challenger",)


@pytest.mark.parametrize(
    ("promotion", "aliases"),
    [("optimistic", ("anchor", "champion")), ("cautious", ("anchor", "champion")), ("manual", ("challenger",))],
)
def test_a_version_that_is_certainly_better_becomes_the_anchor_when_it_serves(
    promotion: Promotion, aliases: tuple[str, ...]
) -> None:
    assert aliases_for(replace(JUDGED, better=True), promotion) == aliases


def answered(mistakes: int, rows: int = 30) -> export.Tested:
    """Return a candidate's results on test rows."""
    truth = np.arange(rows) % 3
    answers = truth.copy()
    answers[:mistakes] = (answers[:mistakes] + 1) % 3
    matrix = np.zeros((3, 3), dtype=np.int64)
    np.add.at(matrix, (truth, answers), 1)
    return export.Tested(ModelProto(), OnnxModel.__new__(OnnxModel), matrix, None)


@pytest.mark.parametrize(("mistakes", "rows"), [(0, 30), (1, 30), (3, 30), (10, 100)])
def test_ninety_per_cent_and_more_pass_the_threshold(problem: Problem, mistakes: int, rows: int) -> None:
    checked = by_threshold(problem, {"continued": answered(mistakes, rows)})
    assert (checked.verdict, checked.aliases) == ("accepted", ("champion",))


@pytest.mark.parametrize(("mistakes", "rows", "accuracy"), [(4, 30, "86.7 %"), (11, 100, "89.0 %"), (30, 30, "0.0 %")])
def test_less_is_refused_and_the_reason_has_both_numbers(
    problem: Problem, mistakes: int, rows: int, accuracy: str
) -> None:
    checked = by_threshold(problem, {"continued": answered(mistakes, rows)})
    assert (checked.verdict, checked.aliases) == ("refused", ())
    assert checked.because == f"accuracy on test.csv is {accuracy}, and at least 90 % is needed"


@pytest.mark.parametrize(("mistakes", "better"), [((1, 0), "refitted"), ((0, 1), "continued"), ((1, 1), "continued")])
def test_the_threshold_takes_the_more_accurate_candidate_and_the_simpler_one_of_two_equal_ones(
    problem: Problem, mistakes: tuple[int, int], better: str
) -> None:
    candidates = {name: answered(wrong) for name, wrong in zip(("continued", "refitted"), mistakes, strict=True)}
    checked = by_threshold(problem, candidates)
    assert (checked.name, checked.tested) == (better, candidates[better])

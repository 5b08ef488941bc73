"""The order of the rules, and what becomes of corrections of the same row."""

from collections.abc import Callable

import numpy as np
import pytest

from common.problem import Problem, Table
from trust.vetting.rules import Finding, Grounds, keys_of
from trust.vetting.verdicts import Claim, Verdicts, decide

IN_TRAIN = [5.1, 3.5, 1.4, 0.2]
[TRAIN_KEY] = keys_of(np.array([IN_TRAIN]))
ODD = Finding("outlier", -1.0, "it looks odd")
TOO_MANY = Finding("quota", 2.0, "too many")

Decide = Callable[..., Verdicts]


@pytest.fixture
def decided(problem: Problem) -> Decide:
    """Decide about a batch: every correction is odd or none is, and those of the network "many" are too many."""
    grounds = Grounds(problem, Table(np.array([IN_TRAIN]), np.array([0])))

    def decide_all(*batch: Claim, others: tuple[Claim, ...] = (), odd: bool = False) -> Verdicts:
        findings = [ODD if odd else None] * len(batch)
        return decide(batch, others, grounds, findings, lambda each: TOO_MANY if each.network == "many" else None)

    return decide_all


def outcomes(verdicts: Verdicts) -> dict[str, tuple[str, str]]:
    return {name: (each.outcome, each.rule) for name, each in verdicts.new.items()}


def test_the_quota_is_asked_last(decided: Decide) -> None:
    assert outcomes(decided(Claim("a", "k", 0, "many"))) == {"a": ("quarantined", "quota")}
    assert outcomes(decided(Claim("a", "k", 0, "many"), odd=True)) == {"a": ("quarantined", "outlier")}
    assert outcomes(decided(Claim("a", TRAIN_KEY, 0, "many"))) == {"a": ("known", "known")}
    assert outcomes(decided(Claim("a", "k", 0, "many", voucher="truth"))) == {"a": ("exempt", "truth")}


def test_a_reviewer_is_never_vetted(decided: Decide) -> None:
    for key in ("k", TRAIN_KEY):
        assert outcomes(decided(Claim("a", key, 1, "many", voucher="reviewer"), odd=True)) == {
            "a": ("exempt", "reviewer")
        }


def test_a_second_source_confirms_the_first_one_in_the_same_batch(decided: Decide) -> None:
    verdicts = decided(Claim("a", "k", 0, "x"), Claim("b", "k", 0, "y"), Claim("c", "k", 0, "z"), odd=True)
    assert outcomes(verdicts) == {
        "a": ("exempt", "confirmed"),
        "b": ("exempt", "confirmed"),
        "c": ("known", "known"),
    }
    assert verdicts.released == {}


def test_a_second_source_releases_what_waits_for_a_review(decided: Decide) -> None:
    verdicts = decided(Claim("b", "k", 0, "y"), others=(Claim("a", "k", 0, "x", "in review"),), odd=True)
    assert outcomes(verdicts) == {"b": ("exempt", "confirmed")}
    assert verdicts.released == {"a": "two sources say the same"}


def test_two_sources_together_break_no_quota(decided: Decide) -> None:
    verdicts = decided(Claim("b", "k", 0, "many"), others=(Claim("a", "k", 0, "x", "in review"),), odd=True)
    assert outcomes(verdicts) == {"b": ("quarantined", "quota")}
    assert verdicts.released == {}


def test_nobody_releases_what_a_version_had_learnt_that_was_taken_back(decided: Decide) -> None:
    verdicts = decided(Claim("b", "k", 0, "y"), others=(Claim("a", "k", 0, "x", "taken back"),))
    assert outcomes(verdicts) == {"b": ("known", "known")}
    assert verdicts.released == {}


def test_a_contradiction_sends_both_to_quarantine(decided: Decide) -> None:
    both = decided(Claim("a", "k", 0, "x"), Claim("b", "k", 1, "y"))
    assert outcomes(both) == {"a": ("quarantined", "contradiction"), "b": ("quarantined", "contradiction")}
    older = decided(Claim("b", "k", 1, "y"), others=(Claim("a", "k", 0, "x", "waiting"),))
    assert outcomes(older) == {"b": ("quarantined", "contradiction")}
    assert set(older.contradicted) == {"a"}


@pytest.mark.parametrize("other", [Claim("a", "k", 0, "x", "learnt"), Claim("a", "k", 0, "x", "waiting", "confirmed")])
def test_what_is_learnt_or_vouched_for_stays_when_it_is_contradicted(decided: Decide, other: Claim) -> None:
    verdicts = decided(Claim("b", "k", 1, "y"), others=(other,))
    assert outcomes(verdicts) == {"b": ("quarantined", "contradiction")}
    assert verdicts.contradicted == {}


def test_a_confirmed_correction_sends_those_that_contradict_it_to_quarantine(decided: Decide) -> None:
    waiting, in_review = Claim("a", "k", 0, "x", "waiting"), Claim("b", "k", 1, "y", "in review")
    verdicts = decided(Claim("c", "k", 1, "z"), others=(waiting, in_review))
    assert outcomes(verdicts) == {"c": ("exempt", "confirmed")}
    assert set(verdicts.released) == {"b"}
    assert set(verdicts.contradicted) == {"a"}

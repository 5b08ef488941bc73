"""The attack suite: its lab vets, holds quotas, rolls back, and its figures say what happened."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.more import attacks_rounds, attacks_rows, attacks_streams
from benchmarks.more.attacks import Shares
from benchmarks.more.attacks_lab import PASSED, Duel, GuardedLab, Tried
from benchmarks.more.judging import CANCER
from benchmarks.more.judging_batches import BAD, contradictions, far_out, good, plausible
from benchmarks.more.judging_world import World, first, world_of
from benchmarks.run import chosen
from common.problem import Table
from trust.vetting.quotas import Quotas


@pytest.fixture(scope="module")
def tumours() -> World:
    return replace(world_of(CANCER), test=200)


def make(tumours: World, **rule: object) -> GuardedLab:
    lab = GuardedLab(tumours, 3, **rule)  # type: ignore[arg-type]  # the fields of a lab
    lab.come(100, 300)
    return lab


@pytest.fixture
def lab(tumours: World) -> GuardedLab:
    return make(tumours)


def test_crude_lies_are_stopped_and_start_no_fine_tuning(lab: GuardedLab) -> None:
    assert set(lab.send(far_out(lab, 0))) == {"outlier"}
    assert set(lab.send(contradictions(lab, 0))) <= {"contradiction", "known"}
    assert (lab.tried, len(lab.ready.y), len(lab.review.y)) == ([], 0, 10)


def test_without_vetting_everything_passes_and_is_judged(tumours: World) -> None:
    lab = make(tumours, limits=None)
    assert set(lab.send(far_out(lab, 0))) == {PASSED}
    assert len(lab.tried) == 1


def test_corrections_that_pass_wait_until_they_are_five(lab: GuardedLab) -> None:
    three = first(good(lab, 0), 3)
    lab.send(three)
    assert lab.tried == []
    lab.send(good(lab, 1))
    assert len(lab.tried) == 1


def test_one_source_has_two_of_a_batch(tumours: World) -> None:
    lab = make(tumours, quotas=Quotas(2, 20, 11))
    rules = Counter(rule for number in range(4) for rule in lab.send(good(lab, number), ["one"] * 5))
    assert rules[PASSED] == 2
    assert rules["quota"] >= 10


def test_unreviewed_corrections_of_many_sources_stay_below_their_share(tumours: World) -> None:
    lab = make(tumours, quotas=Quotas(2, 20, 11))
    rules = [rule for n in range(6) for rule in lab.send(good(lab, n), [f"{n} {place}" for place in range(5)])]
    assert len(lab.learnt.y) + len(lab.waiting.y) + len(lab.ready.y) <= 11
    assert "share" in rules


def test_a_contradicted_correction_waits_beside_the_other_one(lab: GuardedLab) -> None:
    one = first(good(lab, 0), 1)
    assert lab.send(one, ["a"]) == [PASSED]
    assert lab.send(Table(one.X, 1 - one.y), ["b"]) == ["contradiction"]
    assert (len(lab.ready.y), len(lab.review.y)) == (0, 2)


def test_two_sources_that_say_the_same_take_a_correction_out_of_quarantine(lab: GuardedLab) -> None:
    one = first(far_out(lab, 0), 1)
    assert lab.send(one, ["a"]) == ["outlier"]
    assert lab.send(one, ["b"]) == [PASSED]
    assert len(lab.review.y) == 0
    assert len(lab.ready.y) == 2


def taught(lab: GuardedLab, right: Callable[[Table], np.ndarray], *, on_trial: bool) -> Duel:
    """Let a version that answers as `right` says have learnt five corrections."""

    class Model:
        def predict(self, X: np.ndarray) -> np.ndarray:
            return right(Table(X, lab.base.predict(X)))

    new = replace(lab.first, model=Model())  # type: ignore[arg-type]  # the lab asks it for classes alone
    batch = good(lab, 0)
    lab.learnt = batch
    lab.tried.append(Tried(0.0, served=not on_trial))
    lab.duel = Duel(new, lab.first, on_trial, len(batch.y), lab.tried[-1])
    lab.champion = lab.first if on_trial else new
    return lab.duel


def test_a_bad_champion_is_rolled_back_and_its_corrections_leave(lab: GuardedLab) -> None:
    taught(lab, lambda table: 1 - table.y, on_trial=False)
    lab.come(40, 10)
    assert lab.champion is lab.first
    assert lab.tried[-1].rolled_back
    assert len(lab.learnt.y) == 0


def test_a_bad_challenger_never_serves(lab: GuardedLab) -> None:
    taught(lab, lambda table: 1 - table.y, on_trial=True)
    lab.come(40, 10)
    assert (lab.duel, lab.tried[-1].served) == (None, False)
    assert len(lab.learnt.y) == 0


def test_a_challenger_that_answers_alike_is_promoted(lab: GuardedLab) -> None:
    duel = taught(lab, lambda table: table.y, on_trial=True)
    lab.come(300, 10)
    assert lab.champion is duel.new
    assert lab.tried[-1].served
    assert len(lab.learnt.y) == 5


def test_of_mixed_kinds_the_lies_alone_count() -> None:
    rules = ["a", "b", "c", "d", "e"]
    assert attacks_rows.lies_of("one lie in five", 0, rules) == ["e"]
    assert attacks_rows.lies_of("good and lies in turn", 0, rules) == []
    assert attacks_rows.lies_of("good and lies in turn", 1, rules) == rules
    assert attacks_rows.lies_of("good", 0, rules) == rules


def test_an_interval_is_wider_where_labs_differ() -> None:
    alike, different = Shares([(5, 10)] * 10), Shares([(0, 10), (10, 10)] * 5)
    assert alike.value == different.value == 0.5
    assert alike.spread <= 1.0
    assert different.spread > 10
    assert alike.text == "50.0 % [40.4–59.6]"
    assert different.text == "50.0 % [22.7–77.3]"
    assert Shares([]).text == "–"


def test_a_liar_with_two_addresses_sends_each_lie_from_both() -> None:
    assert attacks_rounds.addresses("two", 0, 4) == ["one address", "another address"] * 2
    assert len(set(attacks_rounds.addresses("many", 0, 5) + attacks_rounds.addresses("many", 1, 5))) == 10
    assert set(attacks_rounds.addresses("one", 7, 5)) == {"one address"}


def test_a_stream_says_what_came_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attacks_streams, "BATCHES", 2)
    found = attacks_streams.attack(CANCER, "on, evidence, optimistic", 1)
    assert {attack.sent for attack in found.values()} == {10}
    assert found["far out"].stopped == 10
    assert found["far out"].end == 0.0
    assert all(attack.let_through <= attack.worse for attack in found.values())


def test_a_table_of_streams_has_no_figure_where_nothing_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = attacks_streams.Attack(-0.03, 1, 10, 2, 1)
    runs = [dict.fromkeys((*BAD, *attacks_rows.HONEST), lost)] * 2
    monkeypatch.setattr(attacks_streams, "simulate", lambda work: dict.fromkeys(work, runs))
    found = {row[0]: row[1:] for row in attacks_streams.measure({"travel_insurance": 2}).rows}
    assert found["travel_insurance, far out: labs worse at the end, of 2"] == ("–", "–", "–", "–", "2", "–")
    assert {cells[4] == "–" for cells in found.values()} == {False}


def test_a_liar_can_tell_a_share_of_the_ground_truths(tumours: World) -> None:
    truthful, lied_to = (GuardedLab(tumours, 3, false_truths=share) for share in (0.0, 0.25))
    for lab in (truthful, lied_to):
        lab.come(40, 10)
        assert len(lab.told.y) == len(lab.live.y) == 40
    # The honest ones are those that would have come anyway.
    assert (lied_to.told.X[10:] == truthful.told.X[10:]).all()
    assert (lied_to.told.y[10:] == truthful.told.y[10:]).all()
    assert (lied_to.told.X[:10] != truthful.told.X[:10]).all()


def test_the_plausible_liar_with_quotas_teaches_next_to_nothing() -> None:
    ended = attacks_rounds.lie(CANCER, "all, one address", 1, rounds=6)
    assert (ended.sent, ended.passed) == (30, 2)
    assert ended.loss == 0.0


def test_plausible_lies_break_no_rule_by_themselves(lab: GuardedLab) -> None:
    rules = [rule for number in range(4) for rule in lab.send(plausible(lab, number))]
    assert rules.count(PASSED) > 10


def test_the_beginning_of_a_name_means_all_benchmarks_that_begin_with_it() -> None:
    known = ["judging", "attacks_rows", "attacks_liar", "attacksome"]
    assert chosen(["attacks", "judging", "attacks_liar"], known) == (["attacks_rows", "attacks_liar", "judging"], [])
    assert chosen(["attack", "judging"], known) == (["judging"], ["attack"])

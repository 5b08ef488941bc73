"""The simulated lab of the judge's benchmark: its worlds, its liars, and what becomes of corrections."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.more.judging_batches import BAD, contradictions, far_out, flips, good, mistakes, of_class, plausible
from benchmarks.more.judging_world import Lab, World, answers, as_sent, longer_petals, world_of
from common.problem import Problem, Table

FLOWERS, TUMOURS = "iris", "breast_cancer"


@pytest.fixture(scope="module")
def tumours() -> World:
    return replace(world_of(TUMOURS), test=200)


@pytest.fixture
def lab(tumours: World) -> Lab:
    made = Lab(tumours, seed=3)
    made.come(100, 300)
    return made


def nearest(lab: Lab, table: Table) -> np.ndarray:
    """Return the class that a model which knows the world well gives each row."""
    rows = lab.draw(3_000, np.random.default_rng(0))
    fitted = lab.world.problem.candidates()[lab.world.candidate].fit(rows.X, rows.y)
    return answers(fitted, table.X)


@pytest.mark.parametrize("name", [FLOWERS, TUMOURS])
def test_a_world_has_the_moments_of_the_published_rows(name: str) -> None:
    known = world_of(name).problem.load(None)
    drawn = world_of(name).draw(40_000, np.random.default_rng(1))
    for label in np.unique(known.y):
        np.testing.assert_allclose((drawn.y == label).mean(), (known.y == label).mean(), atol=0.01)
        for place in (np.mean, np.std):
            offset = known.X.mean(axis=0) / 100
            forth = (lambda X, o=offset: np.log(X + o)) if name == TUMOURS else np.array
            mine, theirs = (place(forth(each.X[each.y == label]), axis=0) for each in (drawn, known))
            np.testing.assert_allclose(mine, theirs, rtol=0.02, atol=0.05)


def test_the_changed_world_has_longer_petals_and_the_same_sepals(problem: Problem) -> None:
    draw = world_of(problem.name).draw
    before, after = (each(50, np.random.default_rng(2)) for each in (draw, longer_petals(draw)))
    np.testing.assert_allclose(after.X / before.X, np.tile((1.0, 1.0, 1.25, 1.25), (50, 1)))


def test_few_rows_hold_claims_as_seldom_as_many() -> None:
    draw, rng = world_of("travel_insurance").draw, np.random.default_rng(1)
    claims = sum(int(draw(5, rng).y.sum()) for _ in range(60))
    assert claims < 20


def test_rows_far_out_keep_their_names() -> None:
    travel = replace(world_of("travel_insurance"), train=2_000, test=200)
    rows = far_out(Lab(travel, seed=1), 0).X
    features = travel.problem.features
    assert all(isinstance(rows[0, place], str) == (each.kind == "category") for place, each in enumerate(features))
    assert len(rows) == 5


def test_a_liar_looks_on_until_a_rare_class_has_five_rows() -> None:
    lab = Lab(replace(world_of("travel_insurance"), train=2_000, test=200), seed=1)
    assert all(len(of_class(1, claimed=0)(lab, 0).y) == 5 for _ in range(20))


def test_the_same_seed_is_the_same_lab(tumours: World) -> None:
    one, other = Lab(tumours, seed=5), Lab(tumours, seed=5)
    assert one.first.accuracy == other.first.accuracy
    first, second = one.learn(good(one, 0)), other.learn(good(other, 0))
    assert (first.verdict, first.change, first.way) == (second.verdict, second.change, second.way)


def test_good_rows_are_right_and_flips_are_wrong(lab: Lab) -> None:
    [right, wrong] = [np.concatenate([(nearest(lab, t) == t.y) for t in (kind(lab, 0) for _ in range(8))])
                      for kind in (good, flips)]  # fmt: skip
    assert right.mean() > 0.9
    assert wrong.mean() < 0.1


def test_mistakes_are_mistakes_of_the_champion(lab: Lab) -> None:
    table = mistakes(lab, 0)
    assert len(table.y) == 5
    assert not (lab.champion.answers(table.X) == table.y).any()


def test_rows_far_out_are_outliers(lab: Lab) -> None:
    assert lab.scorer is not None
    assert (lab.scorer.score(far_out(lab, 0).X) < lab.scorer.threshold).all()


def test_contradictions_are_rows_of_training_with_another_class(lab: Lab) -> None:
    known = {tuple(row): y for row, y in zip(as_sent(lab.train).X.tolist(), lab.train.y.tolist(), strict=True)}
    table = contradictions(lab, 0)
    assert all(known[tuple(row)] != y for row, y in zip(table.X.tolist(), table.y.tolist(), strict=True))


def test_plausible_lies_lie_where_the_champion_doubts(lab: Lab) -> None:
    lies = lab.champion.model.predict_proba(plausible(lab, 0).X).max(axis=1)
    usual = lab.champion.model.predict_proba(good(lab, 0).X).max(axis=1)
    assert lies.max() < usual.mean()


@pytest.mark.parametrize("kind", BAD)
def test_each_kind_is_a_batch_of_five(lab: Lab, kind: str) -> None:
    table = BAD[kind](lab, 1)
    assert (table.X.shape, table.y.shape) == ((5, 30), (5,))


def test_corrections_of_a_refused_candidate_are_forgotten_and_those_of_a_version_are_kept(lab: Lab) -> None:
    assert lab.learn(mistakes(lab, 0)).verdict in {"accepted", "insufficient evidence"}
    assert len(lab.learnt.y) == 5
    lies = BAD["one class flipped"]
    assert lab.learn(lies(lab, 0)).verdict == "refused"
    assert (len(lab.learnt.y), len(lab.waiting.y)) == (5, 0)


def test_the_threshold_lets_pass_whatever_is_right_on_enough_test_rows(tumours: World) -> None:
    lab = Lab(tumours, seed=3, gate="threshold", only="refitted")
    outcome = lab.learn(good(lab, 0))
    assert outcome.served == ((outcome.candidate.answers(lab.test.X) == lab.test.y).mean() >= 0.9)

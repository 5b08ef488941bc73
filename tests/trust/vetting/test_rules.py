"""The rules of vetting: what each finds, what it leaves alone, and that a changed world is no attack."""

from typing import Any

import numpy as np
import pytest

from benchmarks.more.judging_batches import far_out, flips, good, mistakes
from benchmarks.more.judging_world import Lab, longer_petals, world_of
from common.bundle.model import OnnxModel
from common.problem import Ints, Problem, Rows, Table, get_problem, probabilities_of
from trust.vetting.nearness import Crowd, nearest, space_of
from trust.vetting.rules import AnchorAnswer, Grounds, VettingLimits, ask_anchor, keys_of, strange, vet_rows

SPREAD = np.random.default_rng(0)
TRAVEL = get_problem("travel_insurance")


def two_heaps(problem: Problem) -> Table:
    """Return rows of two classes: 20 around 1 and 20 around 5, in each of four numbers."""
    assert len(problem.columns) == 4
    X = np.concatenate([SPREAD.normal(centre, 0.1, (20, 4)) for centre in (1.0, 5.0)])
    return Table(X, np.repeat(np.array([0, 1], dtype=np.int64), 20))


def sure(X: Rows, score: float = 1.0) -> AnchorAnswer:
    """Return answers of an anchor that says 0 below 3 and 1 above, surely, and gives all rows the same score."""
    labels: Ints = (X[:, 0] > 3).astype(np.int64)
    return AnchorAnswer(labels, np.eye(3)[labels], np.full(len(X), score))


@pytest.fixture
def grounds(problem: Problem) -> Grounds:
    return Grounds(problem, two_heaps(problem))


def rules(grounds: Grounds, row: list[float], label: int, **more: Any) -> str | None:
    X = np.array([row])
    anchor = sure(X, more.pop("score", 1.0))
    [found] = vet_rows(grounds, Table(X, np.array([label])), anchor, **more)
    return found.rule if found else None


def test_a_row_among_its_class_passes_and_one_among_another_class_does_not(grounds: Grounds) -> None:
    assert rules(grounds, [1.0, 1.1, 0.9, 1.0], 0) is None
    assert rules(grounds, [1.0, 1.1, 0.9, 1.0], 1) == "improbable"


def test_the_reason_has_the_figure_and_its_limit(grounds: Grounds) -> None:
    X = np.array([[1.0, 1.1, 0.9, 1.0]])
    [found] = vet_rows(grounds, Table(X, np.array([1])), sure(X))
    assert found is not None
    assert (found.rule, found.number) == ("improbable", 0.0)
    assert found.reason == (
        "the probability of Iris-versicolor is 0.0 %, and 17.5 % is the least: "
        "the mean of 0 % by the 10 nearest known rows and of 0.0 % by the anchor"
    )


def test_the_nearest_rows_and_the_anchor_count_alike(grounds: Grounds) -> None:
    row = [1.0, 1.1, 0.9, 1.0]  # none of its ten nearest rows has class 1
    for anchor, expected in ((0.34, "improbable"), (0.36, None)):
        answer = AnchorAnswer(np.array([0]), np.array([[1 - anchor, anchor, 0.0]]))
        [found] = strange(grounds, Table(np.array([row]), np.array([1])), answer)
        assert (found.rule if found else None) == expected
    assert rules(grounds, row, 1, limits=VettingLimits(probability=0.0)) is None


def test_live_rows_stand_in_for_an_anchor_that_does_not_know_the_world_of_today(problem: Problem) -> None:
    train = two_heaps(problem)
    row = np.array([[1.0, 1.1, 0.9, 1.0]])
    for lives, expected in ((0, ["improbable"]), (9, ["improbable"]), (10, [])):
        live = Table(np.repeat(np.array([[1.9, 1.9, 1.9, 1.9]]), lives, axis=0), np.ones(lives, dtype=np.int64))
        found = strange(Grounds(problem, train, live), Table(row, np.array([1])), sure(row))
        assert [each.rule for each in found if each] == expected


def test_a_class_that_the_problem_does_not_have_is_improbable(grounds: Grounds) -> None:
    row = np.array([[1.0, 1.1, 0.9, 1.0]])
    [found] = strange(grounds, Table(row, np.array([-1])), AnchorAnswer(np.array([2]), np.array([[0.0, 0.0, 1.0]])))
    assert found is not None
    assert found.number == 0.0


def test_a_row_that_the_anchor_calls_an_outlier_passes_only_if_it_lies_among_known_rows(grounds: Grounds) -> None:
    assert rules(grounds, [1.0, 1.1, 0.9, 1.0], 0, score=-1.0) is None
    assert rules(grounds, [-3.0, 1.1, 0.9, 1.0], 0, score=-1.0) == "outlier"


def test_a_row_of_train_csv_is_known_with_its_class_and_a_contradiction_with_another(grounds: Grounds) -> None:
    row = grounds.known.X[0].tolist()
    assert rules(grounds, row, 0) == "known"
    assert rules(grounds, row, 1) == "contradiction"
    single = np.asarray(row, dtype=np.float32).astype(float).tolist()  # as models take it
    assert rules(grounds, single, 0) == "known"


def test_corrections_of_one_row_contradict_each_other_and_equal_ones_count_once(grounds: Grounds) -> None:
    X = np.array([[1.0, 1.1, 0.9, 1.0]] * 3 + [[1.05, 1.0, 1.0, 1.0]] * 2)
    found = vet_rows(grounds, Table(X, np.array([0, 1, 0, 0, 0])), sure(X))
    assert [each.rule if each else None for each in found] == [
        "contradiction", "contradiction", "known", None, "known",
    ]  # fmt: skip


def test_no_rows_find_nothing(grounds: Grounds) -> None:
    empty = Table(np.zeros((0, 4)), np.zeros(0, dtype=np.int64))
    assert vet_rows(grounds, empty, sure(np.zeros((0, 4)))) == []


def test_an_anchor_without_probabilities_and_scores_still_has_neighbours(grounds: Grounds) -> None:
    rows = Table(np.array([[1.0, 1.1, 0.9, 1.0], [40.0] * 4]), np.array([1, 1]))
    found = strange(grounds, rows, AnchorAnswer(np.array([0, 1])))
    assert [each.rule if each else None for each in found] == ["improbable", None]


def test_a_class_with_fewer_known_rows_than_the_limit_can_still_be_corrected(problem: Problem) -> None:
    few = Grounds(problem, Table(np.array([[1.0, 1.0, 1.0, 1.0]]), np.array([0])))
    assert rules(few, [1.1, 1.0, 1.0, 1.0], 0) is None


def test_the_anchor_is_asked_by_the_names_of_its_classes(bundle: bytes, problem: Problem) -> None:
    X = problem.load(None).X[:2]
    answer = ask_anchor(OnnxModel(bundle), problem, X)
    assert answer.probabilities is not None
    assert answer.labels.tolist() == [0, 0] == answer.probabilities.argmax(axis=1).tolist()
    assert answer.scores is not None


def travel_rows(rows: int) -> Table:
    from problems.travel_insurance import synthesize

    return synthesize(rows, np.random.default_rng(1))


def test_names_count_in_distances_and_unknown_names_are_near_to_none() -> None:
    rows = travel_rows(300)
    space = space_of(TRAVEL, rows.X)
    column = next(index for index, each in enumerate(TRAVEL.features) if each.kind == "category")
    changed, unknown = rows.X[:1].copy(), rows.X[:1].copy()
    changed[0, column] = next(each for each in rows.X[:, column] if each != rows.X[0, column])
    unknown[0, column] = "a name that nobody knows"
    at = space.place(rows.X[:1])
    assert np.linalg.norm(space.place(changed) - at) == pytest.approx(np.sqrt(2))
    assert np.linalg.norm(space.place(unknown) - at) == pytest.approx(1.0)
    assert space.place(rows.X[:0]).shape == (0, space.width)


def test_rows_with_names_have_keys_that_only_equal_rows_share() -> None:
    rows = travel_rows(300)
    keys = keys_of(rows.X)
    assert len(set(keys)) == len({tuple(map(str, row)) for row in rows.X.tolist()})
    assert keys == keys_of(rows.X.copy())


def test_the_nearest_rows_come_in_order_whatever_the_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    places, known = SPREAD.normal(size=(50, 3)), SPREAD.normal(size=(40, 3))
    apart = np.linalg.norm(places[:, None] - known[None], axis=2)
    for chunk in (2**22, 64):
        monkeypatch.setattr("trust.vetting.nearness.CHUNK", chunk)
        found, distances = nearest(places, known, 7)
        assert (found == np.argsort(apart, axis=1)[:, :7]).all()
        assert np.allclose(distances, np.sort(apart, axis=1)[:, :7])
    assert nearest(places, known[:3], 7)[0].shape == (50, 3)
    assert nearest(places, known[:0], 7)[0].shape == (50, 0)


def test_of_rows_at_the_same_distance_the_first_ones_are_the_nearest() -> None:
    found, _ = nearest(np.zeros((1, 2)), np.ones((30, 2)), 4)
    assert found.tolist() == [[0, 1, 2, 3]]


def test_few_rows_are_no_crowd() -> None:
    assert not Crowd(np.zeros((10, 2))).has(np.zeros((1, 2))).any()
    assert Crowd(np.zeros((11, 2))).has(np.zeros((1, 2))).all()


def found_in(lab: Lab, rows: Table, live: Table | None = None) -> list[str]:
    """Return the rules that corrections in a simulated lab break."""
    assert lab.scorer is not None
    model = lab.anchor.model
    answer = AnchorAnswer(
        lab.anchor.answers(rows.X), probabilities_of(model, rows.X), lab.scorer.score(rows.X), lab.scorer.threshold
    )
    return [each.rule for each in vet_rows(Grounds(lab.world.problem, lab.train, live), rows, answer) if each]


def test_lies_are_stopped_and_good_corrections_are_not() -> None:
    stopped = {"good": 0, "flips": 0, "far out": 0}
    for seed in range(3):
        lab = Lab(world_of("iris"), seed)
        for name, kind in (("good", good), ("flips", flips), ("far out", far_out)):
            stopped[name] += sum(len(found_in(lab, kind(lab, number))) for number in range(20))
    assert stopped["good"] <= 0.03 * 300
    assert stopped["flips"] >= 0.7 * 300
    assert stopped["far out"] >= 0.95 * 300


def test_a_changed_world_is_no_attack_once_some_ground_truths_are_told() -> None:
    with_truths, without = 0, 0
    for seed in range(4):
        lab = Lab(world_of("iris"), seed)
        lab.live_in(longer_petals(lab.world.draw))
        rows = mistakes(lab, 0, 25)
        without += len(found_in(lab, rows))
        with_truths += len(found_in(lab, rows, lab.draw(200, lab.rng)))
    assert with_truths <= 0.2 * 100
    assert without > with_truths

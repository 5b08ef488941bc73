"""The plane of the pictures: its axes, and the rows in it."""

from dataclasses import replace

import numpy as np

from common.problem import Problem, Table, get_problem
from trust.vetting.nearness import space_of
from trust.vetting.vetting_map import map_details, plane_of


def test_iris_is_shown_by_its_petals(problem: Problem) -> None:
    train = problem.load(None)
    plane = plane_of(problem, space_of(problem, train.X), train)
    assert plane.axes == ("petal_length", "petal_width")
    assert plane.place(train.X[:2]).tolist() == train.X[:2, 2:].tolist()


def test_a_problem_with_names_and_numbers_is_shown_by_numbers_and_rare_classes_have_points() -> None:
    from problems.travel_insurance import synthesize

    travel = get_problem("travel_insurance")
    train = synthesize(3_000, np.random.default_rng(0))
    plane = plane_of(travel, space_of(travel, train.X), train)
    details = map_details(travel, plane, train)
    numbers = {each.name for each in travel.features if each.kind == "number"}
    assert set(details["axes"]) <= numbers
    claims = sum(label == 1 for *_, label in details["points"])
    assert len(details["points"]) == 200
    assert claims == min(100, int((train.y == 1).sum()))


def test_a_problem_with_fewer_than_two_numbers_is_shown_by_principal_components() -> None:
    travel = get_problem("travel_insurance")
    names = [each for each in travel.features if each.kind == "category"]
    few = replace(travel, features=tuple(names))
    rng = np.random.default_rng(0)
    X = np.array(
        [[rng.choice(each.categories) for each in names if each.kind == "category"] for _ in range(80)], object
    )
    train = Table(X, rng.integers(0, 2, 80))
    plane = plane_of(few, space_of(few, X), train)
    assert plane.axes == ("first principal component", "second principal component")
    points = plane.place(X)
    assert points.shape == (80, 2)
    assert points.std(axis=0)[0] >= points.std(axis=0)[1] > 0
    assert len(map_details(few, plane, train)["points"]) == 80

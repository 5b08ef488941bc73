"""Each way in which a problem can learn makes one candidate."""

from dataclasses import replace

import numpy as np

from common.problem import Problem, Table, get_problem
from finetune.candidates import candidates, ways
from problems.iris import continue_training, refit


def test_a_problem_with_both_ways_has_two_candidates_and_the_continued_one_first(problem: Problem) -> None:
    flowers = problem.load(None)
    base = problem.candidates()[0].fit(flowers.X, flowers.y)
    learnt = Table(np.array([[6.0, 2.7, 5.1, 1.6]] * 5), np.array([1] * 5))
    made = candidates(problem, base, flowers, learnt)
    assert list(made) == ["continued", "refitted"]
    rows = flowers.X
    for name, way in (("continued", continue_training), ("refitted", refit)):
        expected = way(base, flowers, learnt).predict_proba(rows)
        np.testing.assert_array_equal(made[name].predict_proba(rows), expected)


def test_a_way_that_is_switched_off_makes_no_candidate(problem: Problem) -> None:
    assert list(ways(replace(problem, refit=None))) == ["continued"]
    assert list(ways(replace(problem, continue_training=None))) == ["refitted"]
    assert list(ways(get_problem("breast_cancer"))) == ["refitted"]

"""The grader finds and names each planted mistake of task 1."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lesson.grading.grade import Conditions
from tests.lesson.conftest import Solved, assert_found, graded
from tests.lesson.faults import DATA_FAULTS, Fault, planted


@pytest.mark.parametrize("fault", planted(*DATA_FAULTS))
def test_the_grader_finds_and_names(fault: Fault, with_fault: Callable[[Fault], Path]) -> None:
    assert_found(fault, graded(with_fault(fault), [1], Conditions()))


def test_the_solution_gets_all_points_of_task_1_and_its_folder_stays_as_it_was(solved: Solved) -> None:
    before = {path: path.stat().st_mtime_ns for path in solved.project.rglob("*")}
    totals = graded(solved.project, [1], Conditions()).totals()
    assert (totals["points"], totals["of"]) == (25, 25)
    assert {path: path.stat().st_mtime_ns for path in solved.project.rglob("*")} == before

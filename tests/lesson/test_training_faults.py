"""The grader finds and names each planted mistake of task 2."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lesson.grading.grade import Conditions
from lesson.grading.limits import TimeLimits
from tests.lesson.conftest import Solved, assert_found, delete_versions, graded
from tests.lesson.faults import TRAINING_FAULTS, Fault, planted


@pytest.mark.parametrize("fault", planted(*TRAINING_FAULTS))
def test_the_grader_finds_and_names(
    fault: Fault, with_fault: Callable[[Fault], Path], solved: Solved, mlflow_uri: str
) -> None:
    delete_versions(mlflow_uri)
    limits = replace(TimeLimits(), main=fault.main_seconds)
    given = Conditions(limits, mlflow_uri, prepared=solved.prepared)
    assert_found(fault, graded(with_fault(fault), [2], given))

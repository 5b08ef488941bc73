"""The grader finds and names each planted mistake of task 5."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lesson.grading.grade import Conditions
from tests.lesson.conftest import assert_found, delete_versions, graded
from tests.lesson.faults import LEARNING_FAULTS, Fault, planted


@pytest.mark.parametrize("fault", planted(*LEARNING_FAULTS))
def test_the_grader_finds_and_names(
    fault: Fault, with_fault: Callable[[Fault], Path], trained: Conditions, mlflow_uri: str, prefect_api_url: str
) -> None:
    delete_versions(mlflow_uri, after=1)
    given = replace(trained, prefect=prefect_api_url)
    assert_found(fault, graded(with_fault(fault), [5], given))

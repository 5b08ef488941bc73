"""Right solutions of other structure and with other libraries get all points."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from common.settings import PROJECT
from lesson.grading.criteria import LEARNING
from lesson.grading.grade import ALL, Conditions
from lesson.grading.limits import TimeLimits
from lesson.grading.marks import MarkSheet
from tests.lesson.conftest import Solved, copied, delete_versions, failed, graded
from tests.programs import output_of
from tests.prometheus.programs import program

RIGHT = PROJECT / "tests" / "lesson" / "right"
# Files of the solution that these students do not have.
WITHOUT = {
    "neighbours": ("finetune.py",),
    "trees": ("finetune.py",),
    "by_hand": (),
    "instrumented": ("finetune.py", "api/Dockerfile", "grafana/dashboards/iris.json"),
    "gradient": (),
}


def student(name: str, solved: Solved, folder: Path) -> Path:
    project = copied(solved, folder)
    shutil.copytree(RIGHT / name, project, dirs_exist_ok=True)
    for file in WITHOUT[name]:
        (project / file).unlink()
    output_of(["git", "add", "-A"], dict(os.environ), project)
    return project


def lost(marks: MarkSheet) -> dict[str, str]:
    """Return the criteria that got no points, but for the image, which needs a container engine."""
    return {
        mark.criterion.key: mark.seen
        for mark in marks.marks()
        if mark.state != "passed" and mark.criterion.key != "image"
    }


@pytest.mark.parametrize(
    "right",
    [
        pytest.param(("trees", ALL), id="trees"),
        *(
            pytest.param((name, ALL), id=name, marks=pytest.mark.thorough)
            for name in ("gradient", "neighbours", "instrumented")
        ),
        pytest.param(("by_hand", ALL[:-1]), id="by_hand", marks=pytest.mark.thorough),
        # Ten flow runs, one for each correction.
        pytest.param(("by_hand", ALL[-1:]), id="by_hand, corrections", marks=pytest.mark.thorough),
    ],
)
def test_a_right_solution_gets_all_points(
    right: tuple[str, Sequence[int]], solved: Solved, tmp_path: Path, mlflow_uri: str, request: pytest.FixtureRequest
) -> None:
    name, tasks = right
    program("prometheus")
    delete_versions(mlflow_uri)
    given = Conditions(replace(TimeLimits(), all=300.0), mlflow_uri)
    if "finetune.py" in WITHOUT[name]:
        marks = graded(student(name, solved, tmp_path / "student"), ALL, given)
        assert failed(marks) == {}
        assert {mark.state for mark in marks.marks() if mark.criterion.task == LEARNING} == {"not checked"}
        assert lost(marks).keys() == {mark.criterion.key for mark in marks.marks() if mark.criterion.task == LEARNING}
    else:
        given = replace(given, prefect=request.getfixturevalue("prefect_api_url"))
        assert lost(graded(student(name, solved, tmp_path / "student"), tasks, given)) == {}

"""The smallest solution, put into the starting project, gets all points and stays small."""

from dataclasses import replace
from pathlib import Path

from lesson.grading.grade import ALL, Conditions
from lesson.grading.limits import TimeLimits
from tests.lesson.conftest import SOLUTION, Solved, copied, delete_versions, failed, graded
from tests.prometheus.programs import program

LINES = 400
CACHES = {"__pycache__", ".mypy_cache", ".ruff_cache"}
OPTIONAL = 20  # points of task 5


def test_the_solution_can_be_read_in_an_hour() -> None:
    files = [path for path in SOLUTION.rglob("*") if path.is_file() and not CACHES & {*path.parts}]
    assert len(files) > 5
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) <= LINES


def test_the_solution_gets_all_points(solved: Solved, tmp_path: Path, mlflow_uri: str, prefect_api_url: str) -> None:
    program("prometheus")
    delete_versions(mlflow_uri)
    given = Conditions(replace(TimeLimits(), all=300.0), mlflow_uri, prefect=prefect_api_url)
    marks = graded(copied(solved, tmp_path / "student"), ALL, given)
    assert failed(marks) == {}
    totals = marks.totals()
    assert totals["points"] == totals["of"]
    assert (totals["bonus"], totals["bonus_of"]) == (OPTIONAL, OPTIONAL)

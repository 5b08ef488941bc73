"""A perceptron on iris, and the rows that it was fitted to."""

from pathlib import Path

import pytest

from common.problem import Classifier, Problem, Table
from common.table import read_table


@pytest.fixture(scope="session")
def rows(prepared_data: Path, problem: Problem) -> Table:
    return read_table(prepared_data / "train.csv", problem, indices=True)


@pytest.fixture(scope="session")
def model(problem: Problem, rows: Table) -> Classifier:
    return problem.candidates()[0].fit(rows.X, rows.y)

"""Rows to ask both apis."""

import pytest

from common.problem import Problem, Table
from common.settings import Settings
from common.table import read_table


@pytest.fixture
def rows(settings: Settings, problem: Problem) -> Table:
    """The rows of test.csv."""
    return read_table(settings.data_dir / "test.csv", problem, indices=True)

"""Fixtures of the tests of the benchmarks."""

import os

import pytest

from benchmarks.harness.http_load import LoadError, sender


@pytest.fixture(scope="session")
def wrk() -> str:
    """The path of wrk; without wrk the test fails in CI and is skipped elsewhere."""
    try:
        return sender()
    except LoadError as error:
        if os.environ.get("CI"):
            pytest.fail(f"{error}")
        pytest.skip(f"{error}")

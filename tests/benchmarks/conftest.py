"""What the tests of the benchmarks share."""

import os

import pytest

from benchmarks.harness.http_load import LoadError, sender


@pytest.fixture(scope="session")
def wrk() -> str:
    """The path of wrk; where it is missing the test fails in CI, and is skipped elsewhere."""
    try:
        return sender()
    except LoadError as error:
        if os.environ.get("CI"):
            pytest.fail(f"{error}")
        pytest.skip(f"{error}")

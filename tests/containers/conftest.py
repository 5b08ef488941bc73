"""The stack in containers, started once for all tests; `make containers` builds the images and runs the tests."""

import os
from collections.abc import Iterator

import pytest

from tests.containers.stack import Stack, running_stack

# The program that built the images names its container engine here; a plain `pytest` skips these tests.
collect_ignore_glob = [] if "LAB_ENGINE" in os.environ else ["test_*.py"]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("data")) as started:
        yield started

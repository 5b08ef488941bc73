"""Fixtures: the store of an api without servers, and an api without a model."""

from collections.abc import Iterator

import httpx
import pytest

from common.settings import Settings
from common.store import Store
from tests.api.inference.test_prediction_log import store_of
from tests.conftest import running_api


@pytest.fixture
def store(with_copy: Settings) -> Iterator[Store]:
    with store_of(with_copy) as opened:
        yield opened


@pytest.fixture
def modelless(offline: Settings) -> Iterator[httpx.Client]:
    """A client of an api without a model and without servers."""
    with running_api(offline) as client:
        yield client

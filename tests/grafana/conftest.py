"""Fixture: each dashboard."""

import pytest

from tests.grafana.queries import DASHBOARDS, Json


@pytest.fixture(params=DASHBOARDS)
def dashboard(request: pytest.FixtureRequest) -> Json:
    return DASHBOARDS[request.param]

"""The service as it is started: lighter than in tests, and the same."""

import httpx

from common.settings import Settings
from tests import servers


def test_a_service_that_starts_lightly_describes_itself_as_any_other(
    with_copy: Settings, lone_api: httpx.Client
) -> None:
    with servers.api_process(with_copy) as (url, _), httpx.Client(base_url=url, timeout=30.0) as api:
        described = api.get("/openapi.json").raise_for_status().json()
        assert described == lone_api.get("/openapi.json").raise_for_status().json()
        assert api.get("/docs").is_success

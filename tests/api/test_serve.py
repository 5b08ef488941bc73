"""`api/serve.py`: the address of a client behind proxies, and the service without the rooms that it wires."""

import sys
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from common.settings import PROJECT, Settings
from common.store.tables import suggestions
from scripts.parts import free_port, process, wait_for
from scripts.stack import process_environment
from tests import servers
from tests.api.inference.test_prediction_log import store_of
from tests.api.routes.test_suggest import GOOD

Headers = list[tuple[str, str]]


def test_without_its_marked_lines_one_process_serves(with_copy: Settings, tmp_path: Path) -> None:
    lines = (PROJECT / "api" / "serve.py").read_text(encoding="utf-8").splitlines(keepends=True)
    alone, port = tmp_path / "alone.py", free_port()
    alone.write_text("".join(line for line in lines if "# room: " not in line), encoding="utf-8")
    environment = {**process_environment(with_copy), "API_WORKERS": "2", "PYTHONPATH": str(PROJECT)}
    with process([sys.executable, str(alone), "--port", f"{port}"], tmp_path / "log", environment) as started:
        wait_for("an answer", lambda: httpx.get(f"http://127.0.0.1:{port}/readyz").is_success)
        assert started.poll() is None


def forwarded(*values: str) -> Headers:
    return [("X-Forwarded-For", value) for value in values]


def sources(settings: Settings, *requests: Headers) -> list[str]:
    """Send a correction with each of these headers; return the sources that the store has of those accepted."""
    with servers.api_process(settings) as (url, _):
        for headers in requests:
            assert httpx.post(f"{url}/suggest", json=GOOD, headers=headers).status_code in {202, 429}
    with store_of(settings) as store:
        found = store._database.read(sa.select(suggestions.c.source).order_by(suggestions.c.received_at))
    return [row["source"] for row in found]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("proxies", ["", "192.0.2.1, 10.0.0.0/8"])
def test_a_client_that_forges_many_addresses_is_one_source_and_has_one_limit(
    with_copy: Settings, workers: int, proxies: str
) -> None:
    changes = {"suggest_rate": "3/minute", "api_workers": workers, "forwarded_allow_ips": proxies}
    forged = [forwarded(f"203.0.113.{number}") for number in range(6)]
    assert sources(with_copy.model_copy(update=changes), *forged) == ["127.0.0.1"] * 3


@pytest.mark.parametrize("proxies", ["127.0.0.1", "10.0.0.0/8,127.0.0.0/8"])
def test_behind_a_proxy_that_is_known_the_client_is_the_one_that_the_proxy_saw(
    with_copy: Settings, proxies: str
) -> None:
    # The first two addresses of the second request, and the first header of the third, are the client's own.
    requests = [
        forwarded("203.0.113.7"),
        forwarded("198.51.100.1, 198.51.100.2, 203.0.113.7"),
        forwarded("198.51.100.3", "203.0.113.7"),
        forwarded("203.0.113.8"),
        [],
    ]
    found = sources(with_copy.model_copy(update={"forwarded_allow_ips": proxies}), *requests)
    assert found == ["203.0.113.7"] * 3 + ["203.0.113.8", "127.0.0.1"]

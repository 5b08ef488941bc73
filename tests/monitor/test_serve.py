"""The commands that start the monitor: the address of a client behind proxies."""

import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx
import pytest

from common.settings import PROJECT, Settings
from common.store import Store
from monitor.log_in.failures import MOST
from scripts.parts import free_port, process, wait_for
from scripts.stack import process_environment
from tests.common.keys.test_keyring import add

IMAGE = (PROJECT / "monitor" / "Dockerfile").read_text(encoding="utf-8")
STACK = (PROJECT / "Procfile").read_text(encoding="utf-8")


def commands() -> dict[str, list[str]]:
    """Return the commands of the image and of `make up`."""
    [arguments] = re.findall(r"^CMD (.+)$", IMAGE, re.MULTILINE)
    [line] = re.findall(r"^monitor: (.+)$", STACK, re.MULTILINE)
    return {"image": json.loads(arguments), "stack": ["sh", "-c", f"exec {line}"]}


@contextmanager
def monitor(settings: Settings, started_by: str, proxies: str | None) -> Iterator[httpx.Client]:
    """Run the monitor; yield a client of it when it answers. Without proxies, the setting is not there at all."""
    port = free_port()
    environment = process_environment(settings.model_copy(update={"monitor_port": port}))
    environment.pop("FORWARDED_ALLOW_IPS", None)
    if proxies is not None:
        environment["FORWARDED_ALLOW_IPS"] = proxies
    # The image has a port of its own.
    command = [each if each != "5004" else str(port) for each in commands()[started_by]]
    with (
        process(command, settings.lab_home / "monitor.log", environment),
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        wait_for("the monitor", lambda: client.get("/livez").is_success)
        yield client


def try_keys(client: httpx.Client) -> list[int]:
    """Try wrong keys, each with another address in the header; return the statuses."""
    headers = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
    return [
        client.post(
            "/log-in", data={"key": "wrong"}, headers={**headers, "X-Forwarded-For": f"203.0.113.{number}"}
        ).status_code
        for number in range(MOST + 2)
    ]


def noted(settings: Settings) -> set[str]:
    with closing(Store(settings.database_url)) as store:
        return {each.client for each in store.audit.newest()}


@pytest.mark.parametrize(
    ("started_by", "proxies"), [("image", None), ("image", "192.0.2.1,10.0.0.0/8"), ("stack", None)]
)
def test_who_forges_many_addresses_has_to_wait_and_the_audit_log_has_the_true_one(
    offline: Settings, started_by: str, proxies: str | None
) -> None:
    add(offline, "anna", "read")
    with monitor(offline, started_by, proxies) as client:
        assert try_keys(client) == [401] * MOST + [429] * 2
    assert noted(offline) == {"127.0.0.1"}


def test_behind_a_proxy_that_is_known_the_client_is_the_one_that_the_proxy_saw(offline: Settings) -> None:
    add(offline, "anna", "read")
    with monitor(offline, "image", "10.0.0.0/8,127.0.0.0/8") as client:
        assert try_keys(client) == [401] * (MOST + 2)
    assert noted(offline) == {f"203.0.113.{number}" for number in range(MOST + 2)}

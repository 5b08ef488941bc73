"""The containers' privileges, the content of the images, and several replicas behind one port."""

import json
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import httpx
import pytest

from scripts.parts import wait_for
from tests.containers.stack import KEY, OWN, PASSWORD, Stack, engine, image

# Keeps a core busy for three seconds, and prints how much of it this program got.
BUSY = """
import time
begun, before = time.monotonic(), time.process_time()
while time.monotonic() < begun + 3:
    pass
print((time.process_time() - before) / (time.monotonic() - begun))
"""
MEGABYTE = 1_000_000
LONG_RUNNING = {"postgres", "mlflow", "prefect", "finetune", "api", "proxy", "monitor", "prometheus", "alertmanager"}
TMP = "/tmp"  # noqa: S108  # of a container
COUNT = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/metrics').read().decode())"
MORE_THAN_ALLOWED = 130  # corrections a minute of one client
# The program asks the api directly, and forges another client's address in each request.
LIES = f"""
import json, urllib.error, urllib.request as r

def status(number):
    headers = {{"X-Forwarded-For": f"203.0.113.{{number}}", "Content-Type": "application/json", "X-API-Key": "{KEY}"}}
    try:
        return r.urlopen(r.Request("http://api:8000/suggest", b"{{}}", headers)).status
    except urllib.error.HTTPError as error:
        return error.code

print(json.dumps([status(number) for number in range({MORE_THAN_ALLOWED})]))
"""


def prometheus(stack: Stack, path: str) -> Any:
    answer = httpx.get(f"{stack.address('PROMETHEUS_PORT')}/api/v1/{path}").raise_for_status().json()
    return answer["data"]


def targets(stack: Stack) -> list[tuple[str, str]]:
    """Return job and health of every target of Prometheus."""
    active = prometheus(stack, "targets?state=active")["activeTargets"]
    return sorted((each["labels"]["job"], each["health"]) for each in active)


def answered(stack: Stack, replica: int) -> int:
    """Return the number of requests to /label that one replica has answered."""
    shown = stack.compose("exec", "-T", "--index", str(replica), "api", "python", "-c", COUNT).stdout
    found = re.search(r'^http_requests_total\{handler="/label".*\} (\S+)$', shown, re.MULTILINE)
    return int(float(found[1])) if found else 0


def test_every_service_runs_and_is_healthy(stack: Stack) -> None:
    health = {each["Service"]: each["Health"] for each in stack.containers()}
    assert {name: health.get(name) for name in LONG_RUNNING} == dict.fromkeys(LONG_RUNNING, "healthy")


def test_prometheus_reaches_every_target_and_finds_no_fault_in_a_rule(stack: Stack) -> None:
    every = [(job, "up") for job in ("api", "monitor", "prefect", "prometheus")]
    wait_for("all targets", lambda: targets(stack) == every, within=60, every=0.5)
    rules = [rule for group in prometheus(stack, "rules")["groups"] for rule in group["rules"]]
    assert len(rules) > 10
    assert [rule["name"] for rule in rules if rule["health"] == "err"] == []
    assert len(prometheus(stack, "alertmanagers")["activeAlertmanagers"]) == 1


@pytest.mark.parametrize("service", sorted(LONG_RUNNING))
def test_a_container_runs_without_privileges_on_a_root_that_it_cannot_write(stack: Stack, service: str) -> None:
    assert int(stack.inside(service, "id", "-u").stdout) > 0
    refused = stack.inside(service, "touch", "/usr/new", may_fail=True)
    assert "Read-only file system" in refused.stderr
    status = stack.inside(service, "cat", "/proc/self/status").stdout
    assert re.findall(r"CapEff:\s*(\w+)", status) == ["0" * 16]
    assert re.findall(r"NoNewPrivs:\s*(\w+)", status) == ["1"]


@pytest.mark.parametrize("service", sorted(LONG_RUNNING))
def test_the_folder_tmp_is_in_memory(stack: Stack, service: str) -> None:
    mounts = [line.split() for line in stack.inside(service, "cat", "/proc/mounts").stdout.splitlines()]
    assert [kind for _, folder, kind, *_ in mounts if folder == TMP] == ["tmpfs"]


def test_what_a_program_leaves_in_tmp_is_gone_after_a_restart(stack: Stack) -> None:
    kept, away = "/lab/exported/kept", f"{TMP}/away"
    stack.inside("monitor", "touch", kept, away)
    assert stack.inside("monitor", "ls", kept, away).stdout.split() == [kept, away]
    stack.restart("monitor")
    found = stack.inside("monitor", "ls", kept, away, may_fail=True)
    assert found.stdout.split() == [kept]
    assert f"'{away}': No such file" in found.stderr
    stack.inside("monitor", "rm", kept)
    wait_for("the page", lambda: httpx.get(f"{stack.address('MONITOR_PORT')}/livez").is_success)


def test_a_program_that_takes_more_memory_than_its_container_may_is_killed_and_the_page_goes_on(stack: Stack) -> None:
    killed = stack.inside("monitor", "python", "-c", "b'x' * 3 * 2**30", may_fail=True)
    assert killed.returncode == 128 + signal.SIGKILL
    assert httpx.get(f"{stack.address('MONITOR_PORT')}/livez").is_success


def test_a_container_starts_no_more_processes_than_it_may(stack: Stack) -> None:
    script = "for each in $(seq 300); do sleep 2 & done; wait"
    refused = stack.inside("monitor", "sh", "-c", script, may_fail=True)
    assert "Cannot fork" in refused.stderr
    assert httpx.get(f"{stack.address('MONITOR_PORT')}/livez").is_success


def test_a_program_gets_no_more_of_a_core_than_its_container_may_have(stack: Stack) -> None:
    limited = replace(stack, environment={**stack.environment, "LAB_CPUS": "0.3"})
    assert float(limited.once("train", "python", "-c", BUSY)) < 0.4


def test_the_image_of_the_api_is_small() -> None:
    assert int(engine("image", "inspect", "--format", "{{.Size}}", image("api"))) < 600 * MEGABYTE


@pytest.mark.parametrize("module", ["mlflow", "pandas", "sklearn", "prefect", "onnx", "pip"])
def test_the_image_of_the_api_holds_nothing_that_only_others_need(stack: Stack, module: str) -> None:
    refused = stack.inside("api", "python", "-c", f"import {module}", may_fail=True)
    assert f"No module named '{module}'" in refused.stderr


@pytest.mark.parametrize("service", OWN)
def test_an_image_holds_no_secret(stack: Stack, service: str) -> None:
    made = engine("image", "history", "--no-trunc", image(service)) + engine("image", "inspect", image(service))
    assert PASSWORD not in made
    assert re.findall(r"(?i)[A-Z_]*(?:password|secret|token|api_key)[A-Z_]*=\S*", made) == []
    found = stack.inside(service, "find", "/app", "/lab", "/artifacts", "-name", ".env*", may_fail=True)
    assert found.stdout == ""


def test_the_api_counts_a_client_by_the_address_that_the_proxy_has_seen(stack: Stack) -> None:
    with stack.client() as api:
        lies = ({"X-Forwarded-For": f"203.0.113.{number}"} for number in range(MORE_THAN_ALLOWED))
        outside = [api.post("/suggest", json={}, headers=lie).status_code for lie in lies]
    inside = json.loads(stack.inside("monitor", "python", "-c", LIES).stdout)
    # All forged addresses count as one client, and the clients outside and inside have separate limits.
    taken = outside[0]
    assert taken in {422, 503}  # without a model, no correction can be read
    assert set(outside) == set(inside) == {taken, 429}
    assert inside[0] == taken


def ask_until(over: threading.Event, stack: Stack, *, keep_alive: bool) -> Counter[int | str]:
    """Ask the api through the proxy without a pause; return how often each status or error came."""
    found: Counter[int | str] = Counter()
    headers = {} if keep_alive else {"Connection": "close"}
    with stack.client() as api:
        while not over.is_set():
            try:
                found[api.get("/", headers=headers).status_code] += 1
            except httpx.HTTPError as error:
                found[repr(error)] += 1
    return found


@contextmanager
def asking(stack: Stack) -> Iterator[Counter[int | str]]:
    """Let four clients ask the api meanwhile; at the end, add up what they got."""
    over, total = threading.Event(), Counter[int | str]()
    with ThreadPoolExecutor(4) as clients:
        results = [clients.submit(ask_until, over, stack, keep_alive=number % 2 == 0) for number in range(4)]
        try:
            yield total
        finally:
            over.set()
        for result in results:
            total += result.result()


def test_replicas_share_one_port_and_no_request_fails_while_some_of_them_end(stack: Stack) -> None:
    def healthy(replicas: int) -> bool:
        return [each for each in targets(stack) if each[0] == "api"] == [("api", "up")] * replicas

    stack.scale("api", 3)
    with stack.client() as api:
        wait_for("work for each of them", lambda: api.get("/label") and all(answered(stack, n) for n in (1, 2, 3)))
        wait_for("three targets", lambda: healthy(3), within=30, every=0.5)
        for left in (2, 1):
            with asking(stack) as answers:
                stack.scale("api", left)
            assert set(answers) == {307}, answers  # to the documentation, with or without a model
            assert answers.total() > 200
            wait_for(f"targets: {left}", partial(healthy, left), within=30, every=0.5)

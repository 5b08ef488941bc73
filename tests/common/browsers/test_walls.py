"""Attacks by other pages in a person's browser, as the requests that the browser would send for them."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from common.settings import Settings
from monitor.monitor import create_app as make_monitor
from monitor.page.tabs import TABS
from scripts.parts import wait_for
from tests.conftest import keep_copy, offline_settings, running_api, served, served_version

KEY = "a key of the lab"
SETOSA = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
FOREIGN: list[dict[str, str]] = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},  # a frame in a sandbox
    {"Origin": "http://[evil"},
    {"Origin": "http://127.0.0.1:1"},  # another program on the same machine
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, prepared_data: Any, bundle: bytes) -> Settings:
    found = offline_settings(tmp_path_factory.mktemp("walls"), prepared_data)
    keep_copy(found, bundle)
    return found.model_copy(update={"allowed_hosts": "lab.example.org, *.school.example"})


@pytest.fixture(scope="module")
def api(settings: Settings) -> Iterator[httpx.Client]:
    with running_api(settings) as client:
        wait_for("the version", lambda: served_version(client))
        yield client


@pytest.fixture(scope="module")
def monitor(settings: Settings) -> Iterator[httpx.Client]:
    with served(make_monitor(settings)) as client:
        yield client


@pytest.fixture(scope="module")
def monitor_with_key(settings: Settings) -> Iterator[httpx.Client]:
    """A monitor of a lab that has a key, and so an audit log; the client sends the key, and opens pages."""
    with served(make_monitor(settings.model_copy(update={"api_key": SecretStr(KEY)}))) as client:
        client.headers.update({"X-API-Key": KEY, "Accept": "text/html"})
        yield client


@pytest.fixture(params=["api", "monitor"])
def service(request: pytest.FixtureRequest) -> httpx.Client:
    client: httpx.Client = request.getfixturevalue(request.param)
    return client


def predict(api: httpx.Client, headers: Mapping[str, str], path: str = "/predict") -> httpx.Response:
    return api.post(path, json=SETOSA, headers=dict(headers))


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "localhost.evil.example", "a b", "api@evil", ""])
def test_a_name_that_was_rebound_to_this_machine_reads_nothing(service: httpx.Client, host: str) -> None:
    for path in ("/", "/metrics", "/docs", "/livez"):
        answer = service.get(path, headers={"Host": host})
        assert (answer.status_code, answer.headers["content-type"]) == (421, "application/problem+json")
        assert "ALLOWED_HOSTS" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/predict", "/v2/models/IrisModel/infer"])
def test_a_rebound_name_gets_no_prediction(api: httpx.Client, path: str) -> None:
    assert predict(api, {"Host": "evil.example"}, path).status_code == 421


@pytest.mark.parametrize(
    "host",
    [
        "localhost:8000",
        "LOCALHOST",
        "localhost.",
        "lab.localhost:80",
        "127.0.0.1:1",
        "[::1]:8000",
        "192.0.2.7",
        "api:8000",
        "api-iris:8000",
        "monitor:5004",
        "lab.example.org",
        "room-3.school.example:443",
    ],
)
def test_own_names_addresses_and_the_allowed_names_are_known(service: httpx.Client, host: str) -> None:
    assert service.get("/livez", headers={"Host": host}).is_success


@pytest.mark.parametrize("sender", FOREIGN, ids=str)
def test_a_page_of_another_origin_changes_nothing_in_the_api(api: httpx.Client, sender: dict[str, str]) -> None:
    """Forms and text/plain need no permission from the service, and a form without fields has no body at all."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json"):
        headers = {"Content-Type": kind, **sender}
        for path in ("/models/7/rollback", "/suggest", "/predict", "/v2/models/IrisModel/infer", "/nowhere"):
            for body in (b"", b'{"inputs": []}'):
                answer = api.post(path, content=body, headers=headers)
                assert answer.status_code == 403, (path, kind, answer.text)
                assert "another origin" in answer.text
    assert api.delete("/predictions/0", headers=sender).status_code == 403
    assert "a page of another origin" in predict(api, sender).json()["detail"]


@pytest.mark.parametrize("sender", FOREIGN, ids=str)
def test_a_page_of_another_origin_changes_nothing_in_the_monitor(monitor: httpx.Client, sender: dict[str, str]) -> None:
    for path in ("/labels", "/review", "/withdraw", "/replays"):
        assert monitor.post(path, data={"version": "1"}, headers=sender).status_code == 403


def test_the_own_page_and_programs_may_send_changes(api: httpx.Client) -> None:
    here = f"{api.base_url.host}:{api.base_url.port}"
    for sender in (
        {},
        {"Origin": f"http://{here}"},
        {"Origin": "https://lab.example.org", "Host": "lab.example.org"},
        {"Origin": f"http://{here}", "Sec-Fetch-Site": "same-origin"},
        # A proxy that gives the service another name than the browser's.
        {"Origin": "https://elsewhere", "Sec-Fetch-Site": "same-origin"},
    ):
        assert predict(api, sender).is_success, sender


def test_other_pages_may_still_link_to_the_service(monitor: httpx.Client) -> None:
    assert monitor.get("/livez", headers={"Sec-Fetch-Site": "cross-site"}).is_success


def test_every_answer_is_of_the_type_it_says_and_is_shown_in_no_other_page(service: httpx.Client) -> None:
    answers = [
        *(service.get(path) for path in ("/livez", "/metrics", "/openapi.json", "/docs", "/redoc", "/nowhere")),
        service.get("/livez", headers={"Host": "evil.example"}),
        service.post("/predict", json=SETOSA),  # in the api the fast path answers
        service.post("/predict", json={}),
    ]
    for answer in answers:
        is_walled(answer)


PAGES = ("/", *(f"/tab/{tab.name}" for tab in TABS[1:]), "/log-in", "/audit", "/report", "/words")


@pytest.mark.parametrize("path", PAGES)
def test_every_page_of_the_monitor_is_of_its_type_and_is_shown_in_no_other_page(
    monitor_with_key: httpx.Client, path: str
) -> None:
    answer = monitor_with_key.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    is_walled(answer)


def test_a_page_of_the_monitor_that_says_what_is_wrong_is_shown_in_no_other_page(
    monitor_with_key: httpx.Client,
) -> None:
    for path, status in (("/nowhere", 404), ("/?since=yesterday", 422)):
        answer = monitor_with_key.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
        is_walled(answer)


def is_walled(answer: httpx.Response) -> None:
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"], answer.url
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"], answer.url


def test_only_the_scripts_of_the_documentation_run_in_it(service: httpx.Client) -> None:
    policy = service.get("/docs").headers["content-security-policy"]
    scripts = policy.split("script-src ")[1].split(";")[0]
    assert "'sha256-" in scripts
    assert "unsafe" not in scripts
    assert "http" not in policy

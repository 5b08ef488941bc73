"""The monitor of a lab with keys: nobody looks at rows without one, and the api hears who sends a form."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from pydantic import SecretStr

from common.keys.keys_file import change_keys, keys_path, remove_key
from common.settings import Settings
from common.store import Store
from monitor.log_in.failures import MOST
from monitor.log_in.gate import COOKIE
from monitor.monitor import create_app
from scripts.parts import wait_for
from scripts.pictures import chromium
from tests.common.keys.test_keyring import add
from tests.common.store.rows import prediction, suggestion
from tests.common.store.trust.test_reviews import vet
from tests.conftest import offline_settings, running_api, served
from tests.monitor.page.browser import visiting

HTML = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}
OWN = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
SESSION = f"{COOKIE}=session.key.9999999999.x".encode()  # nobody's
PAGES = ("/", "/tab/predictions", "/tab/corrections?problem=iris", "/lineage/a", "/audit", "/docs", "/nowhere")
DATA = ("/api/problems", "/api/predictions", "/api/predictions/rows.csv", "/replays/a.csv", "/openapi.json")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, prepared_data: Path) -> Settings:
    found = offline_settings(tmp_path_factory.mktemp("log-in"), prepared_data)
    with closing(Store(found.database_url)) as store:
        store.predictions.write([prediction("a")])
        for name in "ab":
            store.suggestions.add(suggestion(name))
            vet(store, name)
    return found


@pytest.fixture(scope="module")
def keys(settings: Settings) -> dict[str, str]:
    return {role: add(settings, f"{role}er", role) for role in ("read", "review", "operate")}


@pytest.fixture(scope="module")
def monitor(settings: Settings, keys: dict[str, str]) -> Iterator[httpx.Client]:
    assert keys
    with ExitStack() as stack:
        api = stack.enter_context(running_api(settings))
        url = str(api.base_url).rstrip("/")
        yield stack.enter_context(served(create_app(settings.model_copy(update={"api_url": url}))))


@pytest.fixture
def browser(monitor: httpx.Client) -> Iterator[httpx.Client]:
    """A client with cookies of its own."""
    with httpx.Client(base_url=monitor.base_url, timeout=30.0) as client:
        yield client


def log_in(browser: httpx.Client, key: str, to: str = "/") -> httpx.Response:
    return browser.post("/log-in", params={"to": to}, data={"key": key}, headers=OWN)


def audited(settings: Settings) -> list[tuple[str, str, str]]:
    with closing(Store(settings.database_url)) as store:
        return [(each.actor, each.action, each.result) for each in store.audit.newest()]


def test_without_a_key_nobody_sees_a_page_or_its_data(browser: httpx.Client) -> None:
    for path in PAGES:
        answer = browser.get(path, headers=HTML)
        assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/log-in"), path
    for path in (*DATA, *PAGES):
        for headers in ({}, {"X-API-Key": "wrong"}, {"Cookie": f"{COOKIE}=session.reader.9999999999.x"}):
            assert browser.get(path, headers=headers).status_code == 401, path
    for path in ("/labels", "/review", "/withdraw", "/replays", "/log-out"):
        assert browser.post(path, data={"correction": "a"}, headers=OWN).status_code == 401, path
    # The script of an open page is told the truth when the session is over.
    assert browser.get("/", headers={"Accept": "text/html", "Sec-Fetch-Mode": "cors"}).status_code == 401


def test_probes_and_metrics_need_no_key(browser: httpx.Client) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/log-in", "/static/monitor.css"):
        assert browser.get(path).is_success, path


def test_a_person_logs_in_goes_on_and_logs_out(browser: httpx.Client, keys: dict[str, str]) -> None:
    wanted = browser.get("/tab/predictions?problem=iris&version=1", headers=HTML).headers["location"]
    form = browser.get(wanted)
    assert "/log-in?to=/tab/predictions%3Fproblem%3Diris%26version%3D1" in form.text
    answer = log_in(browser, keys["read"], "/tab/predictions?problem=iris&version=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/tab/predictions?problem=iris&version=1")
    cookie = answer.headers["set-cookie"].lower()
    for attribute in ("httponly", "samesite=strict", "max-age=43200", "path=/"):
        assert attribute in cookie
    assert "secure" not in cookie
    page = browser.get(answer.headers["location"], headers=HTML)
    assert page.is_success
    assert "reader (read)" in page.text
    assert browser.post("/log-out", headers=OWN).status_code == 303
    assert browser.get("/", headers=HTML).status_code == 303


@pytest.mark.parametrize("to", ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "/\t/evil"])
def test_a_log_in_leads_to_no_other_site(browser: httpx.Client, keys: dict[str, str], to: str) -> None:
    assert log_in(browser, keys["read"], to).headers["location"] == "/"
    assert "evil" not in browser.get("/log-in", params={"to": to}).text


def test_another_site_can_log_nobody_in(browser: httpx.Client, keys: dict[str, str]) -> None:
    answer = browser.post("/log-in", data={"key": keys["read"]}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_programs_send_the_key_in_a_header(browser: httpx.Client, keys: dict[str, str]) -> None:
    for path in DATA:
        assert browser.get(path, headers={"X-API-Key": keys["read"]}).status_code in {200, 404}, path


def test_a_form_is_sent_on_with_the_key_of_whoever_has_logged_in(
    browser: httpx.Client, keys: dict[str, str], settings: Settings
) -> None:
    log_in(browser, keys["read"])
    refused = browser.post("/review?problem=iris", data={"one": "approve|a"}, headers=OWN)
    assert refused.status_code == 403
    assert "needs review" in refused.text
    log_in(browser, keys["review"])
    page = browser.get("/tab/corrections?problem=iris", headers=HTML).text
    assert "Key of the reviewer" not in page
    assert browser.post("/review?problem=iris", data={"one": "approve|a"}, headers=OWN).status_code == 303
    with closing(Store(settings.database_url)) as store:
        found = store.trust.reviews.get("iris", "a")
    assert found
    assert found.reviewer == "review key reviewer"
    assert ("reviewer", "POST /corrections/review", "200") in audited(settings)


def test_only_an_operator_sees_the_audit_log(browser: httpx.Client, keys: dict[str, str], settings: Settings) -> None:
    log_in(browser, "wrong <b>")
    for role, status in (("read", 403), ("review", 403), ("operate", 200)):
        log_in(browser, keys[role])
        assert browser.get("/audit", headers=HTML).status_code == status
    text = browser.get("/audit", headers=HTML).text
    assert "wrong key" in text
    assert "operateer" in text
    assert audited(settings)[0] == ("operateer", "log-in", "done")


def test_a_log_out_and_a_wrong_key_in_a_header_are_in_the_audit_log(settings: Settings, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/lab.db"
    own = settings.model_copy(update={"lab_home": tmp_path, "database_url": url, "api_key": SecretStr("k")})
    with served(create_app(own)) as other, httpx.Client(base_url=other.base_url) as browser:
        log_in(browser, "k")
        browser.post("/log-out", headers=OWN)
        assert browser.post("/log-out", headers=OWN).status_code == 401
        # A session that is over is no attempt, and the second wrong key of a minute is not noted.
        over, wrong = {b"Cookie": SESSION}, {b"X-API-Key": b"\xff"}
        for path, headers in (("/", over), ("/tab/drift", wrong), ("/audit", wrong), ("/lineage/a", {})):
            assert other.get(path, headers=headers).status_code == 401
    assert audited(own) == [
        ("nobody", "GET /tab/drift", "401, wrong key"), ("key", "log-out", "done"), ("key", "log-in", "done"),
    ]  # fmt: skip


def test_who_tries_many_wrong_keys_has_to_wait(settings: Settings, keys: dict[str, str]) -> None:
    with served(create_app(settings)) as other:
        statuses = [log_in(other, "wrong").status_code for _ in range(MOST)]
        assert statuses == [401] * MOST
        answer = log_in(other, keys["read"])
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")


def test_the_keys_of_the_settings_log_in_too_and_the_cookie_is_for_tls_alone_behind_a_proxy_with_tls(
    settings: Settings, tmp_path: Path
) -> None:
    own = settings.model_copy(update={"lab_home": tmp_path, "api_key": SecretStr("k"), "review_key": SecretStr("r")})
    add(own, "somebody", "read")
    with served(create_app(own)) as other, httpx.Client(base_url=other.base_url) as browser:
        answer = browser.post("/log-in", data={"key": "r"}, headers={**OWN, "X-Forwarded-Proto": "https"})
        assert "secure" in answer.headers["set-cookie"].lower()
        for key, status in (("k", 403), ("r", 200), ("x", 200)):
            log_in(browser, key)
            assert browser.get("/audit", headers=HTML).status_code == status


# The two keys of a lab's settings, and the role of each holder.
LABS = [("k", None, {"k": "operate"}), (None, "r", {"r": "operate"}), ("k", "r", {"k": "review", "r": "operate"})]


@pytest.mark.parametrize(("api_key", "review_key", "roles"), LABS, ids=["API_KEY", "REVIEW_KEY", "both"])
def test_a_lab_with_keys_of_the_settings_alone_is_closed_and_they_open_it(
    settings: Settings, tmp_path: Path, api_key: str | None, review_key: str | None, roles: dict[str, str]
) -> None:
    given = {"api_key": api_key, "review_key": review_key}
    keys = {name: SecretStr(key) if key else None for name, key in given.items()}
    own = settings.model_copy(update={"lab_home": tmp_path, **keys})
    with served(create_app(own)) as other, httpx.Client(base_url=other.base_url, timeout=30.0) as browser:
        for path in (*DATA, *PAGES):
            assert other.get(path).status_code == 401, path
            assert other.get(path, headers={"X-API-Key": "wrong"}).status_code == 401, path
        for path in ("/livez", "/readyz", "/metrics"):
            assert other.get(path).is_success, path
        for path in ("/labels", "/review", "/withdraw", "/replays"):
            assert other.post(path, data={"key": "k"}, headers=OWN).status_code == 401, path
        for key, role in roles.items():
            for path in DATA:
                assert other.get(path, headers={"X-API-Key": key}).status_code in {200, 404}, path
            assert log_in(browser, key).status_code == 303
            page = browser.get("/tab/corrections", headers=HTML)
            assert f"({role})" in page.text
            assert 'type="password"' not in page.text
            assert browser.get("/audit", headers=HTML).status_code == (200 if role == "operate" else 403)


def test_a_form_of_a_lab_with_api_key_alone_is_sent_on_with_it_and_its_holder_reads_the_audit_log(
    settings: Settings, tmp_path: Path
) -> None:
    own = settings.model_copy(
        update={"lab_home": tmp_path, "database_url": f"sqlite:///{tmp_path}/lab.db", "api_key": SecretStr("schlüssel")}
    )
    with closing(Store(own.database_url)) as store:
        store.suggestions.add(suggestion("a"))
        vet(store, "a")
    with ExitStack() as stack:
        api = stack.enter_context(running_api(own))
        here = own.model_copy(update={"api_url": str(api.base_url).rstrip("/")})
        monitor = stack.enter_context(served(create_app(here)))
        browser = stack.enter_context(httpx.Client(base_url=monitor.base_url, timeout=30.0))
        assert log_in(browser, "schlüssel").status_code == 303
        assert browser.post("/review?problem=iris", data={"one": "approve|a"}, headers=OWN).status_code == 303
        # The api notes a change after its answer.
        wait_for("the entry", lambda: "POST /corrections/review" in browser.get("/audit", headers=HTML).text)
        browser.cookies.clear()
        program = [(b"X-API-Key", "schlüssel".encode()), (b"Sec-Fetch-Site", b"same-origin")]
        assert browser.post("/review?problem=iris", data={"one": "approve|a"}, headers=program).status_code == 303
        reviews = [("key", "POST /corrections/review", "200")] * 2
        wait_for("the entries", lambda: audited(own) == [*reviews, ("key", "log-in", "done")])


def test_a_lab_without_keys_is_open_as_before_and_has_no_audit_log(settings: Settings, tmp_path: Path) -> None:
    with served(create_app(settings.model_copy(update={"lab_home": tmp_path}))) as other:
        assert other.get("/", headers=HTML).is_success
        assert other.get("/api/predictions").is_success
        assert "no keys" in other.get("/log-in").text
        assert other.get("/audit").status_code == 404


def test_a_key_that_is_taken_away_ends_its_sessions_at_once(
    browser: httpx.Client, settings: Settings, keys: dict[str, str]
) -> None:
    assert keys
    log_in(browser, add(settings, "guest", "read"))
    assert browser.get("/").is_success
    change_keys(keys_path(settings), lambda document: remove_key(document, "guest"))
    assert browser.get("/").status_code == 401


def test_everybody_can_log_in_and_out_in_a_browser(monitor: httpx.Client, keys: dict[str, str]) -> None:
    with chromium() as program, visiting(program, str(monitor.base_url)) as visit:
        page = visit("/tab/predictions")
        expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
        assert [each["id"] for each in Axe().run(page).response["violations"]] == []
        page.get_by_label("Key").fill(keys["operate"])
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Predictions")
        page.get_by_role("link", name="Audit log").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Audit log")
        assert [each["id"] for each in Axe().run(page).response["violations"]] == []
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Log in")

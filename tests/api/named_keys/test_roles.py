"""Named keys at the api: each role opens what is its own, and the audit log says who did what."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from api.named_keys.role_check import needed_role
from common.settings import Settings
from common.store import Store
from scripts.parts import wait_for
from tests.common.keys.test_keyring import add
from tests.conftest import keep_copy, offline_settings, running_api, served_version

SETOSA = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
UNKNOWN = "17db9921-63d1-4330-8f0a-9d1a6f0c2b11"
GUARDED: list[tuple[str, str, Any, str]] = [
    ("GET", f"/predictions/{UNKNOWN}", None, "read"),
    ("GET", "/corrections", None, "read"),
    ("GET", "/labels/wanted", None, "read"),
    ("GET", f"/lineage/{UNKNOWN}", None, "read"),
    ("POST", "/feedback", {"prediction_id": UNKNOWN, "class_name": "Iris-setosa"}, "review"),
    ("POST", "/suggest", {**SETOSA, "class_name": "nothing"}, "review"),
    ("POST", "/corrections/review", {"ids": ["a"], "decision": "reject"}, "review"),
    ("POST", "/corrections/a/withdraw", {"reason": "wrong"}, "review"),
    ("DELETE", f"/predictions/{UNKNOWN}", None, "review"),
    ("POST", "/models/7/challenge", None, "operate"),
    ("POST", "/models/7/promote", None, "operate"),
    ("POST", "/models/7/rollback", None, "operate"),
]
ROLES = ("read", "review", "operate")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, prepared_data: Path, bundle: bytes) -> Settings:
    found = offline_settings(tmp_path_factory.mktemp("named"), prepared_data)
    keep_copy(found, bundle)
    return found


@pytest.fixture(scope="module")
def keys(settings: Settings) -> dict[str, str]:
    return {role: add(settings, f"{role}er", role) for role in ROLES}


@pytest.fixture(scope="module")
def api(settings: Settings, keys: dict[str, str]) -> Iterator[httpx.Client]:
    assert keys
    with running_api(settings) as client:
        wait_for("the version", lambda: served_version(client))
        yield client


def ask(api: httpx.Client, method: str, path: str, body: Any, key: str | None) -> httpx.Response:
    return api.request(method, path, json=body, headers={"X-API-Key": key} if key else {})


@pytest.mark.parametrize("asked", GUARDED, ids=lambda asked: " ".join(asked[:2])[:30])
def test_a_role_opens_its_own_routes_and_no_others(
    api: httpx.Client, keys: dict[str, str], asked: tuple[str, str, Any, str]
) -> None:
    method, path, body, needed = asked
    assert ask(api, method, path, body, None).status_code == 401
    assert ask(api, method, path, body, "lab_wrong").status_code == 401
    for role in ROLES:
        answer = ask(api, method, path, body, keys[role])
        if ROLES.index(role) < ROLES.index(needed):
            assert answer.status_code == 403
            assert needed in answer.json()["detail"]
        else:
            assert answer.status_code not in {401, 403}, (role, answer.text)


def test_predictions_need_no_key_and_any_key_may_come_with_them(api: httpx.Client, keys: dict[str, str]) -> None:
    for key in (None, *keys.values()):
        assert ask(api, "POST", "/predict", SETOSA, key).is_success
        assert ask(api, "POST", "/predict?", SETOSA, key).is_success


@pytest.mark.parametrize("path", ["/models/1/promote", "/elsewhere", "/below/models/1/promote"])
def test_an_unknown_change_needs_the_highest_role(path: str) -> None:
    assert needed_role("POST", path) == "operate"


def test_the_audit_log_says_who_did_what(api: httpx.Client, settings: Settings, keys: dict[str, str]) -> None:
    ask(api, "POST", "/corrections/review", {"ids": ["b"], "decision": "reject"}, keys["review"])
    ask(api, "POST", "/models/9/promote", None, keys["read"])
    ask(api, "POST", "/feedback", {"prediction_id": UNKNOWN, "class_name": "Iris-setosa"}, keys["review"])
    with closing(Store(settings.database_url)) as store:
        found = [(each.actor, each.role, each.client, each.action, each.result) for each in store.audit.newest()[:2]]
    assert found == [
        ("reader", "read", "127.0.0.1", "POST /models/9/promote", "403"),
        ("reviewer", "review", "127.0.0.1", "POST /corrections/review", "404"),
    ]


def test_wrong_keys_are_noted_once_a_minute_and_push_nobody_out(settings: Settings, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/lab.db"
    own = settings.model_copy(update={"lab_home": tmp_path, "database_url": url, "api_key": SecretStr("schlüssel")})
    with closing(Store(url)) as store, running_api(own) as api:

        def noted() -> list[tuple[str, str, str, str]]:
            return [(each.actor, each.role, each.action, each.result) for each in store.audit.newest()]

        promote = "POST /models/9/promote"
        api.post("/models/9/promote", headers={b"X-API-Key": "schlüssel".encode()})
        wait_for("the entry of the holder", lambda: [each[:3] for each in noted()] == [("key", "operate", promote)])
        known = noted()
        # No guess, and no key that was needed: neither is an attempt.
        assert api.post("/models/9/promote").status_code == 401
        assert api.get("/models", headers={"X-API-Key": "wrong"}).is_success
        for key in (b"wrong", b"\xff", b"session.key.%d.\xff" % (time.time() + 60)):
            for path in (f"/predictions/{UNKNOWN}", "/labels/wanted", "/corrections"):
                assert api.get(path, headers={b"X-API-Key": key}).status_code == 401, (key, path)
        first = ("nobody", "", f"GET /predictions/{UNKNOWN}", "401, wrong key")
        wait_for("the entry of the stranger", lambda: noted() == [first, *known])
        api.post("/models/9/promote", headers={b"X-API-Key": "schlüssel".encode()})
        wait_for("the entry after it", lambda: noted() == [known[0], first, *known])


def test_the_keys_of_the_settings_open_what_they_opened_beside_named_ones(settings: Settings) -> None:
    both = settings.model_copy(update={"api_key": SecretStr("k"), "review_key": SecretStr("r")})
    with running_api(both) as api:
        wait_for("the api", lambda: api.get("/livez").is_success)
        for method, path, body, _ in GUARDED:
            for key in "kr":
                is_closed = path.startswith("/corrections") or method == "DELETE"
                expected = key == "k" and is_closed
                assert (ask(api, method, path, body, key).status_code == 401) == expected, (path, key)

"""Access: the key of the api where one is set, and the number of corrections that one client may send."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from common.settings import Settings
from common.store.tables import feedback, suggestions
from scripts.parts import wait_for
from scripts.stack import log_path
from tests import servers
from tests.api.inference.test_prediction_log import SETOSA, SETOSA_ROW, store_of
from tests.api.protocols.oip.test_routes import MODEL
from tests.api.protocols.oip.test_routes import body as oip_body
from tests.api.routes.test_bad_requests import check_problem
from tests.api.routes.test_suggest import GOOD, UNKNOWN, kept
from tests.conftest import KEPT, running_api

KEY = "a-key-that-nobody-guesses"
RIGHT = {"X-API-Key": KEY}
TRUTH = {"prediction_id": UNKNOWN, "class_name": "Iris-setosa"}
SELDON_TRUTH = {"request": {"data": {"ndarray": [SETOSA_ROW]}}, "truth": {"data": {"ndarray": [[0]]}}}

Ask = Callable[..., httpx.Response]
# Requests that change something or show people's data, and the answer to a client with the key.
GUARDED: dict[str, tuple[str, str, Any, int]] = {
    "a correction": ("POST", "/suggest", GOOD, 202),
    "the wanted labels": ("GET", "/labels/wanted", None, 200),
    "a truth": ("POST", "/feedback", TRUTH, 404),
    "a prediction": ("GET", f"/predictions/{UNKNOWN}", None, 404),
    "a challenge": ("POST", f"/models/{KEPT}/challenge", None, 503),
    "a promotion": ("POST", f"/models/{KEPT}/promote", None, 503),
    "a rollback": ("POST", f"/models/{KEPT}/rollback", None, 503),
    "a truth in Seldon's way": ("POST", "/api/v1.0/feedback", SELDON_TRUTH, 200),
    "a truth at Seldon's gateway": ("POST", "/seldon/a/b/api/v1.0/feedback", SELDON_TRUTH, 200),
    "a truth in Seldon's old way": ("POST", "/seldon/a/api/v0.1/feedback", SELDON_TRUTH, 200),
}
OPEN: list[tuple[str, str, Any]] = [
    ("POST", "/predict", SETOSA),
    ("POST", "/api/v1.0/predictions", {"data": {"ndarray": [SETOSA_ROW]}}),
    ("POST", f"{MODEL}/infer", oip_body()),
    *(("GET", path, None) for path in ("/health", "/livez", "/readyz", "/metrics", "/v2/health/ready")),
    *(("GET", path, None) for path in ("/predict/test", "/models", "/label", "/metadata", "/docs", MODEL)),
]
WRONG: dict[str, list[tuple[bytes, bytes]]] = {
    "none": [],
    "another": [(b"X-API-Key", b"another")],
    "an empty one": [(b"X-API-Key", b"")],
    "its beginning": [(b"X-API-Key", KEY[:-1].encode())],
    "more than it": [(b"X-API-Key", f"{KEY}s".encode())],
    "one that is no ASCII": [(b"X-API-Key", "schlüssel".encode())],
    "bytes that are no text": [(b"X-API-Key", b"\xff\xfe\x80")],
    "it in another header": [(b"Authorization", f"Bearer {KEY}".encode())],
}


def with_key(settings: Settings, key: str = KEY) -> Settings:
    return settings.model_copy(update={"api_key": SecretStr(key)})


@pytest.fixture
def api(with_copy: Settings) -> Iterator[httpx.Client]:
    with running_api(with_key(with_copy)) as client:
        yield client


@pytest.mark.parametrize("wrong", WRONG)
def test_without_the_right_key_nothing_is_changed_or_shown(api: httpx.Client, with_copy: Settings, wrong: str) -> None:
    for method, path, body, _ in GUARDED.values():
        refused = api.request(method, path, json=body, headers=WRONG[wrong])
        check_problem(refused, 401)
        assert refused.headers["WWW-Authenticate"]
        assert "X-API-Key" in refused.json()["detail"]
    assert kept(with_copy) == 0
    with store_of(with_copy) as store:
        assert store.statistics.live("iris", "IrisModel") == []


@pytest.mark.parametrize(("method", "path", "body", "status"), GUARDED.values(), ids=GUARDED)
def test_the_right_key_opens(api: httpx.Client, method: str, path: str, body: Any, status: int) -> None:
    assert api.request(method, path, json=body, headers=RIGHT).status_code == status


@pytest.mark.parametrize(("method", "path", "body", "status"), GUARDED.values(), ids=GUARDED)
def test_where_no_key_is_set_none_is_needed(
    lone_api: httpx.Client, method: str, path: str, body: Any, status: int
) -> None:
    for headers in ({}, RIGHT):
        assert lone_api.request(method, path, json=body, headers=headers).status_code == status


def test_predictions_and_looks_at_the_service_need_no_key(api: httpx.Client) -> None:
    for method, path, body in OPEN:
        assert api.request(method, path, json=body).status_code == 200, path


def test_a_request_without_a_key_is_refused_before_its_other_mistakes(api: httpx.Client) -> None:
    check_problem(api.post("/suggest", json={}), 401)
    check_problem(api.get("/predictions/seven"), 401)
    check_problem(api.post("/models/seven/promote"), 401)


TRUTHS_BY_ROUTE: dict[str, Callable[[httpx.Client, dict[str, str]], httpx.Response]] = {
    "a correction": lambda api, headers: api.post("/suggest", json=GOOD | predicted(api), headers=headers),
    "a truth": lambda api, headers: api.post(
        "/feedback", json={**predicted(api), "class_name": "Iris-setosa"}, headers=headers
    ),
    "a truth in Seldon's way": lambda api, headers: api.post("/api/v1.0/feedback", json=SELDON_TRUTH, headers=headers),
}


def predicted(api: httpx.Client) -> dict[str, str]:
    return {"prediction_id": api.post("/predict", json=SETOSA).json()["prediction_id"]}


@pytest.mark.parametrize("what", TRUTHS_BY_ROUTE)
@pytest.mark.parametrize(("key", "headers"), [(KEY, RIGHT), (None, {}), (None, RIGHT)])
def test_a_truth_is_trusted_if_a_key_is_set_and_came_with_it(
    with_copy: Settings, what: str, key: str | None, headers: dict[str, str]
) -> None:
    with running_api(with_key(with_copy, key) if key else with_copy) as api:
        TRUTHS_BY_ROUTE[what](api, headers).raise_for_status()
    with store_of(with_copy) as store:
        said = store._database.read(sa.select(feedback))
        corrections = store._database.read(sa.select(suggestions))
    expected = ("key", True) if key else ("127.0.0.1", False)
    assert [(row["source"], row["trusted"]) for row in said] == [expected]
    assert {(row["source"], row["trusted"]) for row in corrections} <= {expected}
    assert len(corrections) == (what == "a correction")


def test_a_key_may_have_letters_beyond_ascii(with_copy: Settings) -> None:
    key = "schlüssel"
    with running_api(with_key(with_copy, key)) as api:
        assert api.post("/suggest", json=GOOD, headers=[(b"X-API-Key", key.encode())]).status_code == 202
        check_problem(api.post("/suggest", json=GOOD, headers=[(b"X-API-Key", b"schlussel")]), 401)


def test_the_description_names_the_header_where_it_is_needed(lone_api: httpx.Client) -> None:
    description = lone_api.get("/openapi.json").json()
    schemes = description["components"]["securitySchemes"]
    ((name, scheme),) = schemes.items()
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "X-API-Key")
    secured = {
        (method.upper(), path)
        for path, operations in description["paths"].items()
        for method, operation in operations.items()
        if operation.get("security") == [{name: []}]
    }
    assert secured == {
        ("POST", "/suggest"),
        ("GET", "/suggest/{suggestion_id}"),  # the key shows the figures of the verdict
        ("GET", "/labels/wanted"),
        ("GET", "/corrections"),
        ("GET", "/corrections/{correction_id}"),
        ("POST", "/corrections/review"),
        ("POST", "/corrections/withdraw"),
        ("POST", "/corrections/{correction_id}/withdraw"),
        ("GET", "/corrections/withdrawals"),
        ("GET", "/corrections/{correction_id}/withdrawal"),
        ("GET", "/lineage/{prediction_id}"),
        ("GET", "/lineage/versions/{version}"),
        ("GET", "/lineage/corrections/{suggestion_id}"),
        ("DELETE", "/predictions/{prediction_id}"),
        ("POST", "/feedback"),
        ("GET", "/predictions/{prediction_id}"),
        *(("POST", f"/models/{{version}}/{how}") for how in ("challenge", "promote", "rollback")),
        ("POST", "/api/v1.0/feedback"),
        ("POST", "/seldon/{namespace}/{deployment}/api/v1.0/feedback"),
    }


def test_the_key_is_nowhere_to_be_read(with_copy: Settings) -> None:
    with servers.api_process(with_key(with_copy)) as (url, _), httpx.Client(base_url=url) as api:
        assert api.post("/suggest", json=GOOD, headers=RIGHT).status_code == 202
        check_problem(api.post("/suggest", json=GOOD, headers={"X-API-Key": f"{KEY}s"}), 401)
        assert api.post("/suggest", json={**GOOD, "colour": 1}, headers=RIGHT).status_code == 422
        shown = [api.get(path).text for path in ("/openapi.json", "/docs", "/metrics", "/metadata")]
    assert KEY not in "".join(shown)
    log = log_path(with_copy, "api").read_text()
    assert "Application startup complete" in log
    assert KEY not in log


@pytest.fixture
def slow(with_copy: Settings) -> Iterator[httpx.Client]:
    """An api that takes three corrections a minute from one client."""
    with running_api(with_key(with_copy).model_copy(update={"suggest_rate": "3/minute"})) as client:
        client.headers.update(RIGHT)
        yield client


def test_corrections_above_the_limit_are_refused_with_the_seconds_to_wait(
    slow: httpx.Client, with_copy: Settings
) -> None:
    answers = [slow.post("/suggest", json=GOOD) for _ in range(5)]
    assert [answer.status_code for answer in answers[:3]] == [202] * 3
    for refused in answers[3:]:
        check_problem(refused, 429)
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert refused.headers["Retry-After"] in refused.json()["detail"]
    assert kept(with_copy) == 3


def test_only_corrections_are_limited(slow: httpx.Client) -> None:
    suggestion_id, *_ = [slow.post("/suggest", json=GOOD).json().get("suggestion_id") for _ in range(4)]
    for _ in range(5):
        assert slow.post("/predict", json=SETOSA).status_code == 200
        assert slow.get(f"/suggest/{suggestion_id}").status_code == 200
        assert slow.post("/api/v1.0/feedback", json=SELDON_TRUTH).status_code == 200
        check_problem(slow.post("/feedback", json={**TRUTH, "prediction_id": str(uuid4())}), 404)
    check_problem(slow.post("/suggest", json=GOOD), 429)


def test_corrections_without_a_key_do_not_count_against_the_limit(slow: httpx.Client, with_copy: Settings) -> None:
    for _ in range(5):
        check_problem(slow.post("/suggest", json=GOOD, headers={"X-API-Key": "another"}), 401)
    assert [slow.post("/suggest", json=GOOD).status_code for _ in range(4)] == [202, 202, 202, 429]
    assert kept(with_copy) == 3


def test_corrections_are_taken_again_after_the_seconds_to_wait(with_copy: Settings) -> None:
    with running_api(with_copy.model_copy(update={"suggest_rate": "1/second"})) as api:
        answers = [api.post("/suggest", json=GOOD) for _ in range(3)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert {answer.headers["Retry-After"] for answer in refused} <= {"1", "2"}
        wait_for("room", lambda: api.post("/suggest", json=GOOD).status_code == 202, within=10, every=0.2)

"""Reviews over HTTP: a queue in pages, a correction with its history, and decisions that hold."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from common.settings import Settings
from common.store import Store
from common.store.trust.reviews import ROLL_BACK
from scripts.parts import wait_for
from tests.api.inference.test_prediction_log import store_of
from tests.api.routes.test_bad_requests import check_field, check_problem
from tests.api.routes.test_suggest import GOOD, UNKNOWN
from tests.common.store.rows import FEATURES, SETOSA
from tests.common.store.trust.test_reviews import add, vet
from tests.conftest import running_api

API_KEY, REVIEW_KEY = "the-key-of-the-service", "the-key-of-the-reviewer"
REVIEWER = {"X-API-Key": REVIEW_KEY}


def keyed(settings: Settings, api_key: str | None = API_KEY, review_key: str | None = REVIEW_KEY) -> Settings:
    keys = {"api_key": api_key, "review_key": review_key}
    return settings.model_copy(update={name: key and SecretStr(key) for name, key in keys.items()})


@pytest.fixture
def store(on_either: Settings) -> Iterator[Store]:
    """The store of `api`, once in SQLite and once in PostgreSQL."""
    with store_of(on_either) as opened:
        yield opened


@pytest.fixture
def api(on_either: Settings) -> Iterator[httpx.Client]:
    """A reviewer's client of an api with both keys."""
    with running_api(keyed(on_either)) as client:
        client.headers.update(REVIEWER)
        yield client


@pytest.fixture
def quarantined(store: Store) -> list[str]:
    """The ids of five corrections in quarantine, in the order in which they came."""
    names = [str(uuid4()) for _ in range(5)]
    for name in names:
        add(store, [name], source="192.0.2.1")  # type: ignore[arg-type]
        vet(store, name)
    return names


def review(api: httpx.Client, ids: list[str], decision: str = "approve", **more: Any) -> httpx.Response:
    return api.post("/corrections/review", json={"ids": ids, "decision": decision, **more})


def results(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [each["result"] for each in response.json()["corrections"]]


def test_the_queue_comes_in_pages_oldest_first_with_all_that_a_reviewer_needs(
    api: httpx.Client, quarantined: list[str]
) -> None:
    first = api.get("/corrections", params={"limit": 3}).raise_for_status().json()
    last = api.get("/corrections", params={"limit": 3, "after": first["next"]}).raise_for_status().json()
    assert [each["correction_id"] for each in first["corrections"] + last["corrections"]] == quarantined
    assert last["next"] is None
    shown = first["corrections"][0]
    assert {
        name: shown[name] for name in ("features", "class_name", "state", "rule", "number", "source", "details")
    } == {
        "features": FEATURES,
        "class_name": SETOSA,
        "state": "quarantined",
        "rule": "outlier",
        "number": 0.25,
        "source": "192.0.2.1",
        "details": {"answer": "x"},
    }
    assert shown["reason"] == "it looks odd: outlier 0.25"
    assert shown["received_at"] is not None


def test_a_page_has_fifty_corrections_unless_the_client_asks_for_more(api: httpx.Client, store: Store) -> None:
    for number in range(52):
        add(store, [f"c{number}"])  # type: ignore[arg-type]
    store.suggestions.quarantine([f"c{number}" for number in range(52)], "no")
    assert len(api.get("/corrections").json()["corrections"]) == 50
    whole = api.get("/corrections", params={"limit": 52}).json()
    assert (len(whole["corrections"]), whole["next"]) == (52, None)


def test_the_list_can_be_narrowed_and_other_states_listed(
    api: httpx.Client, store: Store, quarantined: list[str]
) -> None:
    def listed(**wanted: str) -> list[str]:
        found = api.get("/corrections", params=wanted).raise_for_status().json()["corrections"]
        return [each["correction_id"] for each in found]

    store.suggestions.refused(quarantined[:1], "no")
    assert listed(rule="outlier", source="192.0.2.1") == quarantined
    assert listed(rule="quota") == listed(source="192.0.2.2") == listed(rule=ROLL_BACK) == []
    review(api, quarantined[:1], "reject").raise_for_status()
    assert listed(state="refused") == quarantined[:1]
    assert listed(state="trained") == []


BAD_LISTS = {
    "state": "lost",
    "limit": "201",
    "after": "c29tZXRoaW5n",
    "rule": "a\x00b",
    "source": "s" * 201,
}


@pytest.mark.parametrize(("name", "value"), [*BAD_LISTS.items(), ("limit", "0"), ("after", "é"), ("after", "a" * 5)])
def test_a_bad_question_is_refused_and_its_field_named(lone_api: httpx.Client, name: str, value: str) -> None:
    check_field(lone_api.get("/corrections", params={name: value}), name)


def test_a_correction_is_shown_with_its_history(api: httpx.Client, quarantined: list[str]) -> None:
    name = quarantined[0]
    review(api, [name], note="a broken sensor").raise_for_status()
    shown = api.get(f"/corrections/{name}").raise_for_status().json()
    assert (shown["state"], shown["outcome"], shown["reviewer"], shown["note"]) == (
        "received",
        "approved",
        "review key",
        "a broken sensor",
    )
    assert [(each["state"], each["actor"], each["reason"]) for each in shown["history"]] == [
        ("received", "192.0.2.1", None),
        ("quarantined", "lab", "it looks odd: outlier 0.25"),
        ("approved", "review key", "a broken sensor"),
    ]
    check_problem(api.get(f"/corrections/{UNKNOWN}"), 404)


def test_many_are_decided_at_once_and_the_api_tries_at_once_to_deliver_what_is_approved(
    api: httpx.Client, quarantined: list[str]
) -> None:
    assert results(review(api, quarantined[:3])) == ["decided"] * 3
    assert results(review(api, quarantined[3:], "reject")) == ["decided"] * 2
    left = api.get("/corrections").json()
    assert (left["corrections"], left["next"]) == ([], None)

    def details() -> list[str]:
        return [api.get(f"/suggest/{name}").json()["detail"] for name in quarantined]

    # Prefect is away, and the outbox says so.
    wait_for("an attempt to deliver", lambda: all("not delivered yet" in detail for detail in details()[:3]))
    assert details()[3:] == ["refused: a reviewer rejected it"] * 2


def test_a_review_that_comes_twice_changes_nothing(api: httpx.Client, quarantined: list[str]) -> None:
    name = quarantined[0]
    first = review(api, [name, name], note="once")
    assert results(first) == ["decided"]
    before = api.get(f"/corrections/{name}").json()
    again = review(api, [name], note="twice")
    assert results(again) == ["decided before"]
    assert "review key approved correction" in again.json()["corrections"][0]["detail"]
    after = api.get(f"/corrections/{name}").json()
    assert {key: before[key] for key in ("history", "note", "reviewed_at")} == {
        key: after[key] for key in ("history", "note", "reviewed_at")
    }


def test_another_decision_about_the_same_correction_is_refused_and_says_how_to_change_it(
    api: httpx.Client, quarantined: list[str]
) -> None:
    approved, rejected, fresh, *_ = quarantined
    review(api, [approved])
    review(api, [rejected], "reject")
    assert "withdraw it" in check_problem(review(api, [approved], "reject"), 409)["detail"]
    assert "send it again" in check_problem(review(api, [rejected]), 409)["detail"]
    mixed = review(api, [approved, fresh, UNKNOWN], "reject")
    assert results(mixed) == ["decided otherwise", "decided", "unknown"]


def test_a_correction_that_needs_no_review_or_does_not_exist_is_not_decided(api: httpx.Client) -> None:
    sent = api.post("/suggest", json=GOOD).json()["suggestion_id"]
    assert "needs no review" in check_problem(review(api, [sent]), 409)["detail"]
    check_problem(review(api, [UNKNOWN]), 404)


def test_two_reviewers_at_once_make_one_history(api: httpx.Client, quarantined: list[str]) -> None:
    with ThreadPoolExecutor(8) as pool:
        decisions = ["approve", "reject"] * 4
        found = list(pool.map(lambda decision: results(review(api, quarantined, decision)), decisions))
    assert sum(each == ["decided"] * len(quarantined) for each in found) == 1
    won = decisions[found.index(["decided"] * len(quarantined))]
    for name in quarantined:
        states = [each["state"] for each in api.get(f"/corrections/{name}").json()["history"]]
        assert states == ["received", "quarantined", {"approve": "approved", "reject": "rejected"}[won]]


BAD_REVIEWS: dict[str, tuple[dict[str, Any], str]] = {
    "no ids": ({"ids": []}, "ids"),
    "too many ids": ({"ids": [UNKNOWN] * 201}, "ids"),
    "an id that is too long": ({"ids": ["a" * 37]}, "ids.0"),
    "an id with a zero byte": ({"ids": ["a\x00"]}, "ids.0"),
    "a number for an id": ({"ids": [7]}, "ids.0"),
    "another decision": ({"decision": "perhaps"}, "decision"),
    "a note that is too long": ({"note": "n" * 1001}, "note"),
    "a note with a zero byte": ({"note": "a\x00b"}, "note"),
    "an unknown field": ({"reviewer": "me"}, "reviewer"),
}


@pytest.mark.parametrize(("changes", "field"), BAD_REVIEWS.values(), ids=BAD_REVIEWS)
def test_a_bad_review_is_refused_and_its_field_named(
    lone_api: httpx.Client, changes: dict[str, Any], field: str
) -> None:
    body = {"ids": [UNKNOWN], "decision": "approve"} | changes
    check_field(lone_api.post("/corrections/review", json=body), field)


ROUTES: dict[str, Callable[[httpx.Client, dict[str, str]], httpx.Response]] = {
    "the queue": lambda api, headers: api.get("/corrections", headers=headers),
    "a correction": lambda api, headers: api.get(f"/corrections/{UNKNOWN}", headers=headers),
    "a review": lambda api, headers: api.post("/corrections/review", json={}, headers=headers),
}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("review_key", "opens"), [(REVIEW_KEY, {REVIEW_KEY}), (None, {API_KEY})], ids=["both keys", "one key"]
)
def test_a_reviewer_needs_the_review_key_or_without_one_the_key(
    with_copy: Settings, route: str, review_key: str | None, opens: set[str]
) -> None:
    with running_api(keyed(with_copy, review_key=review_key)) as api:
        for key in (API_KEY, REVIEW_KEY, "another", None):
            response = ROUTES[route](api, {"X-API-Key": key} if key else {})
            assert (response.status_code != 401) == (key in opens), key


def test_without_keys_everybody_reviews_and_the_history_has_the_address(with_copy: Settings) -> None:
    with store_of(with_copy) as store, running_api(with_copy) as api:
        add(store, "a")
        vet(store, "a")
        review(api, ["a"]).raise_for_status()
        assert store.trust.events.of("a")[-1].actor == "127.0.0.1"


def test_a_revoked_key_opens_nothing_and_what_it_approved_stays(
    on_either: Settings, store: Store, quarantined: list[str]
) -> None:
    approved, left, *_ = quarantined
    with running_api(keyed(on_either)) as api:
        api.headers.update(REVIEWER)
        review(api, [approved]).raise_for_status()
    with running_api(keyed(on_either, review_key="the-next-key")) as api:
        check_problem(
            api.post("/corrections/review", json={"ids": [left], "decision": "approve"}, headers=REVIEWER), 401
        )
        check_problem(api.get("/corrections", headers=REVIEWER), 401)
        shown = api.get(f"/corrections/{approved}", headers={"X-API-Key": "the-next-key"}).raise_for_status().json()
    assert (shown["outcome"], shown["reviewer"], shown["history"][-1]["state"]) == (
        "approved",
        "review key",
        "approved",
    )
    assert store.trust.reviews.get("iris", left).outcome == "quarantined"  # type: ignore[union-attr]


def test_a_broken_store_is_a_503(with_copy: Settings) -> None:
    with running_api(with_copy) as api, store_of(with_copy) as store:
        with store._database.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE vettings RENAME TO away")
        check_problem(api.get("/corrections"), 503)
        check_problem(review(api, [UNKNOWN]), 503)

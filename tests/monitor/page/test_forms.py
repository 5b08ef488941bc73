"""The forms of the queues send ground truths and reviews on to the api, and take none from other sites."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Header, HTTPException
from pydantic import SecretStr

from common.keys.keyring import Keyring
from common.settings import Settings
from common.store import Store
from monitor.log_in.gate import Gate
from monitor.log_in.routes import log_in_router
from monitor.page.forms import MOST_BYTES
from monitor.page.routes import add_page
from monitor.page.tabs import TABS
from monitor.page.view import FeedbackApi
from tests.conftest import served
from tests.monitor.references import backends_of

HTML = {"Accept": "text/html"}
OWN = {"Sec-Fetch-Site": "same-origin", **HTML}
KEY = "schlüssel"
FORM = {"truth": "p|a|b"}

REVIEW = {"decision": "approve", "correction": ["a", "b"], "note": " seen in the shop "}

Api = tuple[list[tuple[dict[str, Any], str]], list[Any]]


@pytest.fixture
def heard() -> Api:
    """Bodies with keys that the api has had, and the errors or the results of reviews that it answers next."""
    return [], []


@pytest.fixture
def listening(heard: Api) -> Iterator[str]:
    """The address of an api that only listens."""
    api = FastAPI()

    @api.post("/feedback")
    def feedback(body: dict[str, str], x_api_key: Annotated[str, Header()] = "") -> dict[str, str]:
        heard[0].append((body, x_api_key.encode("latin-1").decode()))
        for error in heard[1]:
            raise error
        return body

    @api.post("/corrections/review")
    def review(body: dict[str, Any], x_api_key: Annotated[str, Header()] = "") -> dict[str, Any]:
        heard[0].append((body, x_api_key.encode("latin-1").decode()))
        return {"corrections": heard[1]}

    @api.post("/corrections/withdraw")
    def withdraw(body: dict[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        heard[0].append((body, f"dry_run={dry_run}"))
        there = 0 if body.get("ids") == ["gone"] else len(body.get("ids", range(10_000)))
        versions = [{"version": 3, "answers": 1204}] if there else []
        numbers = {"corrections": there, "withdrawn_before": 1, "left": 2345 if "source" in body else 0}
        return {**numbers, "versions": versions, "plan": "version 3 learnt it"}

    with served(api) as client:
        yield str(client.base_url).rstrip("/")


@pytest.fixture
def page(store: Store, listening: str, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client that has logged in to the page of a lab with a key."""
    with page_of(store, listening, tmp_path, KEY) as client:
        yield client


@contextmanager
def page_of(store: Store, api: str, home: Path, key: str | None) -> Iterator[httpx.Client]:
    """Yield a client of the page of a lab; with a key, the lab has it, and the client has logged in with it."""
    monitor = FastAPI()
    monitor.state.store, monitor.state.problem = store, "iris"
    monitor.state.backends = replace(backends_of(store), feedback=FeedbackApi(api, "iris"))
    monitor.state.keyring = Keyring(Settings(_env_file=None, lab_home=home, api_key=SecretStr(key) if key else None))
    monitor.add_middleware(Gate)
    add_page(monitor, TABS)
    monitor.include_router(log_in_router())
    with served(monitor) as client:
        if key:
            assert client.post("/log-in", data={"key": key}, headers=OWN).status_code == 303
        yield client


def send(page: httpx.Client, headers: Mapping[str, str] = OWN, **changed: str) -> httpx.Response:
    return page.post("/labels?problem=iris&version=3", data={**FORM, **changed}, headers=headers)


def test_a_ground_truth_goes_to_the_api_with_the_key_and_the_tab_is_shown_again(page: httpx.Client, heard: Api) -> None:
    answer = send(page)
    assert heard[0] == [({"prediction_id": "p", "class_name": "a|b"}, "schlüssel")]
    assert (answer.status_code, answer.headers["location"]) == (303, "/tab/corrections?problem=iris&version=3")


def test_a_key_that_stands_in_the_form_counts_for_nothing(page: httpx.Client, heard: Api) -> None:
    send(page, key="of somebody else")
    assert [key for _, key in heard[0]] == [KEY]


def test_in_a_lab_without_keys_none_is_sent(store: Store, listening: str, heard: Api, tmp_path: Path) -> None:
    with page_of(store, listening, tmp_path, None) as page:
        send(page, key="typed")
    assert [key for _, key in heard[0]] == [""]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://elsewhere.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
    ids=str,
)
def test_a_form_of_another_site_is_refused(page: httpx.Client, heard: Api, headers: dict[str, str]) -> None:
    answer = send(page, HTML | headers)
    assert (answer.status_code, heard[0]) == (403, [])
    assert "Only the monitor&#39;s own page may send forms" in answer.text


def test_an_old_browser_that_names_the_origin_alone_is_believed(page: httpx.Client, heard: Api) -> None:
    assert send(page, {"Origin": str(page.base_url).rstrip("/")}).status_code == 303
    assert len(heard[0]) == 1


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (HTTPException(409, "the truth is known as <b>a</b>"), 409, "The api answers 409: the truth is known as &lt;b"),
        (HTTPException(503, "no store"), 502, "The api answers 503: no store."),
    ],
)
def test_the_apis_errors_are_shown_in_words_with_a_way_back(
    page: httpx.Client, heard: Api, error: HTTPException, status: int, words: str
) -> None:
    heard[1].append(error)
    answer = send(page)
    assert answer.status_code == status
    assert "The ground truth was not stored" in answer.text
    assert words in answer.text
    assert 'href="/tab/corrections?problem=iris&amp;version=3"' in answer.text
    assert 'data-live="false"' in answer.text


@pytest.mark.parametrize(
    ("changed", "status"), [({"truth": "p"}, 422), ({"truth": ""}, 422), ({"more": "k" * MOST_BYTES}, 413)], ids=str
)
def test_a_form_without_a_ground_truth_or_with_too_much_is_refused(
    page: httpx.Client, heard: Api, changed: dict[str, str], status: int
) -> None:
    assert send(page, OWN, **changed).status_code == status
    assert heard[0] == []


@pytest.mark.parametrize("key", ["secret", "two\nsecret"])
def test_an_api_that_is_away_is_named_and_the_key_is_not(store: Store, tmp_path: Path, key: str) -> None:
    with page_of(store, "http://127.0.0.1:1", tmp_path, key) as page:
        answer = send(page)
    assert answer.status_code == 502
    assert "The api at http://127.0.0.1:1 (API_URL) does not answer." in answer.text
    assert "secret" not in answer.text


def review(page: httpx.Client, **changed: Any) -> httpx.Response:
    return page.post("/review?problem=iris&rule=outlier&page=2", data={**REVIEW, **changed}, headers=OWN)


def test_a_review_goes_to_the_api_with_the_key_and_the_queue_is_shown_again(page: httpx.Client, heard: Api) -> None:
    answer = review(page)
    assert heard[0] == [({"ids": ["a", "b"], "decision": "approve", "note": "seen in the shop"}, KEY)]
    back = "/tab/corrections?problem=iris&rule=outlier&page=2#quarantined"
    assert (answer.status_code, answer.headers["location"]) == (303, back)


def test_the_button_of_a_correction_reviews_it_alone_whichever_are_selected(page: httpx.Client, heard: Api) -> None:
    review(page, one="reject|c", decision="", note="")
    assert heard[0][0][0] == {"ids": ["c"], "decision": "reject", "note": None}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"correction": []}, "No correction is selected"),
        ({"decision": "burn"}, "approve or reject"),
        ({"one": "burn|a"}, "or"),
    ],
    ids=str,
)
def test_a_review_without_corrections_or_decision_is_refused(
    page: httpx.Client, heard: Api, changed: dict[str, Any], words: str
) -> None:
    answer = review(page, **changed)
    assert (answer.status_code, heard[0]) == (422, [])
    assert words in answer.text


def test_a_review_of_another_site_is_refused(page: httpx.Client, heard: Api) -> None:
    answer = page.post("/review", data=REVIEW, headers=HTML | {"Origin": "http://elsewhere.example"})
    assert (answer.status_code, heard[0]) == (403, [])


def test_corrections_that_a_review_left_as_they_were_are_named_with_the_reasons(page: httpx.Client, heard: Api) -> None:
    heard[1].extend({"result": "decided", "detail": "done"} for _ in range(2))
    assert review(page).status_code == 303
    heard[1].extend({"result": "decided otherwise", "detail": f"key rejected {name}"} for name in "vwxyz")
    answer = review(page)
    assert answer.status_code == 409
    assert "Not every correction was reviewed" in answer.text
    left = "2 of 7 corrections are reviewed, the others stay as they were: key rejected v; key rejected w; key rejected"
    assert f"{left} x; and 2 more." in answer.text


TAKE_BACK = {"correction": "a/b", "reason": "a <wrong> label"}
REASON = {"reason": "a <wrong> label"}
CONFIRMED = {"confirmed": "yes"}


def take_back(page: httpx.Client, query: str = "problem=iris", **changed: Any) -> httpx.Response:
    return page.post(f"/withdraw?{query}", data=TAKE_BACK | changed, headers=OWN)


def test_a_withdrawal_is_shown_before_it_is_done(page: httpx.Client, heard: Api) -> None:
    query = "problem=iris&correction=a%2Fb"
    answer = take_back(page, query)
    assert answer.status_code == 200
    for words in ("Version 3 learnt it.", "1,204", "a &lt;wrong&gt; label", "Correction a/b", "Take it back"):
        assert words in answer.text
    assert heard[0] == [({**REASON, "ids": ["a/b"]}, "dry_run=True")]
    confirmed = take_back(page, query, **CONFIRMED)
    assert (confirmed.status_code, confirmed.headers["location"]) == (303, f"/tab/corrections?{query}#correction")
    assert heard[0][1:] == [({**REASON, "ids": ["a/b"]}, "dry_run=False")]


def test_selected_corrections_are_taken_back_together_once_their_number_was_shown(
    page: httpx.Client, heard: Api
) -> None:
    ids = [f"{number:036}" for number in range(200)]
    answer = take_back(page, correction=ids)
    assert answer.status_code == 200
    for words in ("Selected corrections: 200", "1 of them is taken back already", "Take them back", "1,204"):
        assert words in answer.text
    assert answer.text.count('name="correction"') == 200
    confirmed = take_back(page, correction=[*ids, ids[0]], **CONFIRMED)
    assert (confirmed.status_code, confirmed.headers["location"]) == (303, "/tab/corrections?problem=iris#corrections")
    assert heard[0] == [({**REASON, "ids": ids}, f"dry_run={dry_run}") for dry_run in (True, False)]


def test_all_corrections_of_a_client_are_taken_back_whichever_are_selected(page: httpx.Client, heard: Api) -> None:
    answer = take_back(page, source="192.0.2.1")
    for words in ("All corrections of 192.0.2.1: 10,000", "There are 2,345 more than one request takes back"):
        assert words in answer.text
    assert 'name="correction"' not in answer.text
    assert take_back(page, source="192.0.2.1", **CONFIRMED).status_code == 303
    assert heard[0] == [({**REASON, "source": "192.0.2.1"}, f"dry_run={dry_run}") for dry_run in (True, False)]


@pytest.mark.parametrize(("missing", "words"), [("correction", "No correction is selected"), ("reason", "no reason")])
def test_a_withdrawal_without_a_correction_or_a_reason_is_refused(
    page: httpx.Client, heard: Api, missing: str, words: str
) -> None:
    answer = take_back(page, **{missing: " "})
    assert (answer.status_code, heard[0]) == (422, [])
    assert "No correction was taken back" in answer.text
    assert words in answer.text


def test_a_withdrawal_that_would_change_nothing_cannot_be_confirmed(page: httpx.Client) -> None:
    answer = take_back(page, correction="gone")
    assert answer.status_code == 200
    assert "Take it back" not in answer.text
    assert "Go back" in answer.text

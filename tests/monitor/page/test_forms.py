"""The forms of the queues send ground truths and reviews on to the api, and take none from other sites."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Header, HTTPException

from common.store import Store
from monitor.page.forms import MOST_BYTES
from monitor.page.routes import add_page
from monitor.page.tabs import TABS
from monitor.page.view import FeedbackApi
from tests.conftest import served
from tests.monitor.references import backends_of

HTML = {"Accept": "text/html"}
OWN = {"Sec-Fetch-Site": "same-origin", **HTML}
FORM = {"truth": "p|a|b", "key": " schlüssel "}

Api = tuple[list[tuple[dict[str, str], str]], list[HTTPException]]


@pytest.fixture
def heard() -> Api:
    """Bodies with keys that the api has had, and the errors that it answers next."""
    return [], []


@pytest.fixture
def page(store: Store, heard: Api) -> Iterator[httpx.Client]:
    """A client of the page, whose api only listens."""
    api, monitor = FastAPI(), FastAPI()

    @api.post("/feedback")
    def feedback(body: dict[str, str], x_api_key: Annotated[str, Header()] = "") -> dict[str, str]:
        heard[0].append((body, x_api_key.encode("latin-1").decode()))
        for error in heard[1]:
            raise error
        return body

    with ExitStack() as stack:
        url = str(stack.enter_context(served(api)).base_url).rstrip("/")
        monitor.state.backends = replace(backends_of(store), feedback=FeedbackApi(url, "iris"))
        monitor.state.problem = "iris"
        add_page(monitor, TABS)
        yield stack.enter_context(served(monitor))


def send(page: httpx.Client, headers: Mapping[str, str] = OWN, **changed: str) -> httpx.Response:
    return page.post("/labels?problem=iris&version=3", data={**FORM, **changed}, headers=headers)


def test_a_ground_truth_goes_to_the_api_with_the_key_and_the_tab_is_shown_again(page: httpx.Client, heard: Api) -> None:
    answer = send(page)
    assert heard[0] == [({"prediction_id": "p", "class_name": "a|b"}, "schlüssel")]
    assert (answer.status_code, answer.headers["location"]) == (303, "/tab/corrections?problem=iris&version=3")


def test_without_a_key_none_is_sent(page: httpx.Client, heard: Api) -> None:
    send(page, key="")
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
    ("changed", "status"), [({"truth": "p"}, 422), ({"truth": ""}, 422), ({"key": "k" * MOST_BYTES}, 413)], ids=str
)
def test_a_form_without_a_ground_truth_or_with_too_much_is_refused(
    page: httpx.Client, heard: Api, changed: dict[str, str], status: int
) -> None:
    assert send(page, OWN, **changed).status_code == status
    assert heard[0] == []


@pytest.mark.parametrize("key", ["secret", "two\nsecret"])
def test_an_api_that_is_away_is_named_and_the_key_is_not(store: Store, key: str) -> None:
    monitor = FastAPI()
    monitor.state.backends = replace(backends_of(store), feedback=FeedbackApi("http://127.0.0.1:1", "iris"))
    monitor.state.problem = "iris"
    add_page(monitor, TABS)
    with served(monitor) as page:
        answer = send(page, key=key)
    assert answer.status_code == 502
    assert "The api at http://127.0.0.1:1 (API_URL) does not answer." in answer.text
    assert "secret" not in answer.text

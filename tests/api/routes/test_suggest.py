"""Corrections over HTTP: checked first, kept before they are acknowledged, and their status afterwards."""

import json
import signal
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr

from common.settings import Settings
from common.store import Store
from common.store.judgements import JudgementRecord
from common.store.tables import suggestions
from scripts.parts import stop, wait_for
from tests import servers
from tests.api.model.test_follower import stranger
from tests.api.routes.test_bad_requests import check_problem
from tests.conftest import running_api

GOOD = {
    "sepal_length": 5.1,
    "sepal_width": 3.5,
    "petal_length": 1.4,
    "petal_width": 0.2,
    "class_name": "Iris-setosa",
}
UNKNOWN = "018f0000-0000-7000-8000-000000000000"


@pytest.fixture
def api(with_copy: Settings) -> Iterator[httpx.Client]:
    with running_api(with_copy) as client:
        yield client


@contextmanager
def database(settings: Settings) -> Iterator[sqlite3.Connection]:
    path = settings.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as connection:
        yield connection


def kept(settings: Settings) -> int:
    with database(settings) as connection:
        (count,) = connection.execute("SELECT count(*) FROM suggestions").fetchone()
    return int(count)


def test_a_suggestion_is_accepted_and_kept(api: httpx.Client, with_copy: Settings) -> None:
    response = api.post("/suggest", json=GOOD)
    assert response.status_code == 202
    (suggestion_id,) = response.json().values()
    store = Store(with_copy.database_url)
    suggestion = store.suggestions.get(suggestion_id)
    store.close()
    assert suggestion is not None
    assert suggestion.problem == "iris"
    assert suggestion.features == {name: value for name, value in GOOD.items() if name != "class_name"}
    assert suggestion.class_name == "Iris-setosa"
    assert suggestion.prediction_id is None


def test_its_status_is_found_by_its_id(api: httpx.Client) -> None:
    suggestion_id = api.post("/suggest", json=GOOD).json()["suggestion_id"]
    status = api.get(f"/suggest/{suggestion_id}").json()
    assert UUID(status["suggestion_id"]) == UUID(suggestion_id)
    assert status["state"] == "received"
    assert status["flow_run_id"] is None
    assert status["model_version"] is None


def test_a_correction_in_quarantine_says_why(api: httpx.Client, with_copy: Settings) -> None:
    suggestion_id = api.post("/suggest", json=GOOD).json()["suggestion_id"]
    store = Store(with_copy.database_url)
    store.suggestions.quarantine([suggestion_id], "version 8 was rolled back")
    store.close()
    status = api.get(f"/suggest/{suggestion_id}").json()
    assert (status["state"], status["detail"]) == ("quarantined", "quarantined: version 8 was rolled back")


JUDGEMENT = JudgementRecord(
    "j", "iris", datetime(2026, 11, 28, tzinfo=UTC), "refused", None, "refitted",
    {"because": "it loses 7.5 points", "against": {"champion": {"harm": 3}}},
)  # fmt: skip


@pytest.mark.parametrize("key", [None, "a-key"])
def test_the_verdict_has_figures_only_for_clients_that_may_see_them(with_copy: Settings, key: str | None) -> None:
    settings = with_copy.model_copy(update={"api_key": SecretStr(key) if key else None})
    headers = {"X-API-Key": key} if key else {}
    with running_api(settings) as client, closing(Store(settings.database_url)) as store:
        path = f"/suggest/{client.post('/suggest', json=GOOD, headers=headers).json()['suggestion_id']}"
        store.judgements.add(JUDGEMENT)
        store.suggestions.judged([path.rpartition("/")[2]], "j")
        store.suggestions.refused([path.rpartition("/")[2]], "it loses 7.5 points")
        full, short = client.get(path, headers=headers).json(), client.get(path).json()
    assert full["detail"] == "refused: it loses 7.5 points"
    assert full["judgement"] == {
        "verdict": "refused", "reason": "it loses 7.5 points", "figures": {"against": {"champion": {"harm": 3}}}
    }  # fmt: skip
    if key is None:
        assert short == full
    else:
        assert short["detail"] == "refused: no version will learn it"
        assert short["judgement"] == {
            "verdict": "refused",
            "reason": "The new version would be worse than the present one, so it does not serve.",
            "figures": None,
        }
        assert "7.5" not in str(short)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("quarantined_because", "quarantined: a reviewer will look at it"),
        ("refused_because", "refused: no version will learn it"),
        ("withdrawn_because", "withdrawn: somebody took it back"),
    ],
)
def test_a_client_without_the_key_reads_the_state_in_words_and_one_with_it_the_reason(
    with_copy: Settings, store: Store, column: str, words: str
) -> None:
    key = {"X-API-Key": "a-key"}
    with running_api(with_copy.model_copy(update={"api_key": SecretStr("a-key")})) as client:
        name = client.post("/suggest", json=GOOD, headers=key).json()["suggestion_id"]
        with store._database.writing() as connection:
            store.suggestions.change(connection, suggestions.c.id == name, **{column: "2 of 10 rows"})
        state = words.partition(":")[0]
        assert client.get(f"/suggest/{name}").json()["detail"] == words
        assert client.get(f"/suggest/{name}", headers=key).json()["detail"] == f"{state}: 2 of 10 rows"


def test_corrections_without_effect_wait_for_the_next_ones(api: httpx.Client, store: Store) -> None:
    name = api.post("/suggest", json=GOOD).json()["suggestion_id"]
    store.suggestions.row_written(name)
    store.suggestions.judged([name], "j")
    status = api.get(f"/suggest/{name}").json()
    assert status["state"] == "waiting"
    assert status["detail"].startswith("waiting: the last version that learnt it had no effect")


def test_while_prefect_is_away_the_status_says_so(api: httpx.Client, with_copy: Settings) -> None:
    suggestion_id = api.post("/suggest", json=GOOD).json()["suggestion_id"]
    detail = wait_for(
        "a failed delivery",
        lambda: (
            with_copy.prefect_api_url in (status := api.get(f"/suggest/{suggestion_id}").json())["detail"] and status
        ),
    )
    assert detail["state"] == "received"
    assert detail["detail"].startswith("not delivered yet")


@pytest.mark.parametrize("says", [b"<html>please log in</html>", b"[]", b"7", b"{}", b'{"id": 7}'])
def test_a_stranger_at_prefects_address_does_not_end_delivery(with_copy: Settings, says: bytes) -> None:
    with stranger() as (url, answered, handler):
        handler.says = says
        with running_api(with_copy.model_copy(update={"prefect_api_url": f"{url}/api"})) as api:
            suggestion_id = api.post("/suggest", json=GOOD).json()["suggestion_id"]
            assert answered.wait(timeout=15)
            wait_for(
                "the reason", lambda: "not delivered yet" in api.get(f"/suggest/{suggestion_id}").json()["detail"], 15
            )
            answered.clear()
            assert answered.wait(timeout=15), "it is not tried again"


@pytest.mark.parametrize(
    "changes",
    [
        '"class_name": "Iris-unknown"',
        '"class_name": ""',
        '"class_name": 0',
        '"petal_width": NaN',
        '"petal_width": Infinity',
        '"petal_width": 1e999',
        '"petal_width": "0.2"',
        '"petal_width": 30.5',
        '"colour": "blue"',
        '"suggestion_id": "mine"',
        '"prediction_id": "seven"',
        '"data": [[5.1, 3.5, 1.4, 0.2]]',
    ],
)
def test_a_refused_correction_is_not_kept_and_its_field_named(
    api: httpx.Client, with_copy: Settings, changes: str
) -> None:
    body = f"{json.dumps(GOOD)[:-1]}, {changes}}}"
    refused = api.post("/suggest", content=body, headers={"Content-Type": "application/json"})
    check_problem(refused, 422)
    assert [error["field"] for error in refused.json()["errors"]] == [changes.split('"')[1]]
    assert kept(with_copy) == 0


def test_a_broken_store_is_a_503_and_the_service_goes_on_when_it_is_mended(
    api: httpx.Client, with_copy: Settings
) -> None:
    with database(with_copy) as connection:
        connection.execute("ALTER TABLE suggestions RENAME TO away")
        check_problem(api.post("/suggest", json=GOOD), 503)
        check_problem(api.get(f"/suggest/{UNKNOWN}"), 503)
        assert api.get("/predict/test").status_code == 200
        connection.execute("ALTER TABLE away RENAME TO suggestions")
    assert kept(with_copy) == 0
    assert api.post("/suggest", json=GOOD).status_code == 202
    assert kept(with_copy) == 1


def test_an_acknowledged_suggestion_survives_the_end_of_the_process(with_copy: Settings) -> None:
    with servers.api_process(with_copy) as (url, process):
        response = httpx.post(f"{url}/suggest", json=GOOD)
        stop(process, signal.SIGKILL)
    assert response.status_code == 202
    with servers.api_process(with_copy) as (url, _):
        status = httpx.get(f"{url}/suggest/{response.json()['suggestion_id']}")
    assert status.json()["state"] == "received"
    assert kept(with_copy) == 1


def test_many_at_once_are_all_kept_even_if_they_are_alike(api: httpx.Client, with_copy: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api.post("/suggest", json=GOOD), range(40)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["suggestion_id"] for answer in answers}) == 40
    assert kept(with_copy) == 40

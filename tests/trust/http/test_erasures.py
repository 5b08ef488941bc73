"""`DELETE /predictions/{id}` erases a person's data, once, and says what it could not erase."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from common.settings import Settings
from common.store import Store
from tests.conftest import running_api

ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


@pytest.fixture
def api(on_either: Settings) -> Iterator[httpx.Client]:
    with running_api(on_either) as client:
        yield client


@pytest.fixture
def store(on_either: Settings) -> Iterator[Store]:
    with closing(Store(on_either.database_url)) as opened:
        yield opened


def predict(api: httpx.Client) -> str:
    answer = api.post("/predict", json={**ROW, "petal_width": 0.123456})
    return str(answer.raise_for_status().json()["prediction_id"])


def delete(api: httpx.Client, prediction_id: str, **headers: str) -> Any:
    return api.delete(f"/predictions/{prediction_id}", headers=headers).raise_for_status().json()


def test_a_prediction_is_erased_although_the_log_is_behind_and_is_gone_afterwards(api: httpx.Client) -> None:
    prediction = predict(api)
    found = delete(api, prediction)
    assert found["erased"]["roles"] == ["champion"]
    for path in (f"/predictions/{prediction}", f"/lineage/{prediction}", f"/predictions/{prediction.upper()}"):
        answer = api.get(path)
        assert answer.status_code == 410
        assert f"prediction {prediction} was erased on " in answer.json()["detail"]
    assert api.post("/feedback", json={"prediction_id": prediction, "class_name": "Iris-setosa"}).status_code == 404


def test_a_second_request_says_when_it_was_erased(api: httpx.Client) -> None:
    prediction = predict(api)
    assert delete(api, prediction) == delete(api, prediction)


def test_its_corrections_are_withdrawn_and_others_stay(api: httpx.Client, store: Store) -> None:
    prediction = predict(api)
    sent = [
        api.post("/suggest", json={**ROW, "class_name": "Iris-setosa", **named}).raise_for_status().json()
        for named in ({"prediction_id": prediction}, {})
    ]
    found = delete(api, prediction)
    assert found["erased"]["corrections"] == [sent[0]["suggestion_id"]]
    assert "the features of 1 corrections, until their withdrawal ends" in found["not_erased"]
    states = [api.get(f"/suggest/{each['suggestion_id']}").json()["state"] for each in sent]
    assert states[0] == "withdrawn"
    assert states[1] != "withdrawn"
    erasure = store.trust.erasures.of(prediction)
    assert erasure
    assert erasure.actor == "127.0.0.1"


def test_an_unknown_prediction_is_not_found(api: httpx.Client) -> None:
    unknown = uuid4()
    assert api.delete(f"/predictions/{unknown}").status_code == 404
    answer = api.get(f"/predictions/{unknown}")
    assert (answer.status_code, "erased" in answer.text) == (404, False)
    assert api.delete("/predictions/no-uuid").status_code == 422
    assert api.get("/predictions/no/such/path").status_code == 404


@pytest.mark.parametrize("either_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("keys", "refused", "accepted"), [({"api_key": "a"}, "x", "a"), ({"api_key": "a", "review_key": "r"}, "a", "r")]
)
def test_who_reviews_may_erase(on_either: Settings, keys: dict[str, str], refused: str, accepted: str) -> None:
    settings = on_either.model_copy(update={name: SecretStr(key) for name, key in keys.items()})
    with running_api(settings) as api:
        prediction = predict(api)
        assert api.delete(f"/predictions/{prediction}", headers={"X-API-Key": refused}).status_code == 401
        assert delete(api, prediction, **{"X-API-Key": accepted})["erased"]["roles"] == ["champion"]
        assert api.get(f"/predictions/{prediction}").status_code == 401

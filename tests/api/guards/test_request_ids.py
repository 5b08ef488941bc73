"""Every answer has an id, by which the log and the client speak of the same request."""

from uuid import UUID

import httpx
import pytest

ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


def ids(api: httpx.Client, given: dict[str, str]) -> list[str]:
    """The ids of a prediction, of an error, and of another route."""
    answers = (
        api.post("/predict", json=ROW, headers=given),
        api.post("/predict", json={}, headers=given),
        api.get("/livez", headers=given),
        api.get("/nowhere", headers=given),
    )
    assert [answer.status_code for answer in answers] == [200, 422, 200, 404]
    return [answer.headers["x-request-id"] for answer in answers]


def test_a_request_keeps_the_id_that_its_client_gives(lone_api: httpx.Client) -> None:
    assert ids(lone_api, {"X-Request-ID": "order-17.2/a"}) == ["order-17.2/a"] * 4


@pytest.mark.parametrize("given", [{}, {"X-Request-ID": ""}, {"X-Request-ID": "a b"}, {"X-Request-ID": "x" * 129}])
def test_a_request_without_a_usable_id_gets_one_of_its_own(lone_api: httpx.Client, given: dict[str, str]) -> None:
    found = ids(lone_api, given)
    assert len({UUID(each) for each in found}) == 4

"""Each mistake in a request is a problem (RFC 9457) that names the field, and never a 5xx."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

GOOD = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
ROW = [5.1, 3.5, 1.4, 0.2]
JSON = {"Content-Type": "application/json"}


def body_with(value: str) -> str:
    """Return a body with this text as its petal_width, which need not be JSON that Python would write."""
    return json.dumps({**GOOD, "petal_width": "HERE"}).replace('"HERE"', value)


def post(api: httpx.Client, content: str | bytes | Iterator[bytes], path: str = "/predict") -> httpx.Response:
    return api.post(path, content=content, headers=JSON)


def check_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text[:500]
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail", "instance"} <= set(problem)
    assert problem["status"] == status
    assert problem["instance"] == response.request.url.path
    assert problem["title"]
    assert problem["detail"]
    return problem


def check_field(response: httpx.Response, field: str) -> None:
    problem = check_problem(response, 422)
    assert field in [error["field"] for error in problem["errors"]]
    assert problem["detail"].startswith(problem["errors"][0]["field"])


BAD_VALUES = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1e999",
    '"0.2"',
    '"NaN"',
    '""',
    "true",
    "null",
    "[0.2]",
    '{"cm": 0.2}',
    "-0.1",
    "30.1",
    "1" + "0" * 400,
]


@pytest.mark.parametrize("value", BAD_VALUES)
def test_an_implausible_value_is_refused_and_its_field_named(lone_api: httpx.Client, value: str) -> None:
    body = body_with(value)
    check_field(post(lone_api, body), "petal_width")
    check_field(post(lone_api, f'{{"data": [{ROW}, [5.1, 3.5, 1.4, {value}]]}}'), "data[1].petal_width")
    check_field(post(lone_api, body.replace("{", '{"class_name": "Iris-setosa", ', 1), "/suggest"), "petal_width")


def test_every_missing_field_is_named(lone_api: httpx.Client) -> None:
    problem = check_problem(post(lone_api, "{}"), 422)
    assert {error["field"] for error in problem["errors"]} == set(GOOD)


@pytest.mark.parametrize("name", ["colour", "Petal_Width", " petal_width", "", "blüte", "\ud800", "\x00"])
def test_an_unknown_field_is_named(lone_api: httpx.Client, name: str) -> None:
    problem = check_problem(post(lone_api, json.dumps({**GOOD, name: 1})), 422)
    assert len(problem["errors"]) == 1


def test_an_unknown_field_beside_a_batch_is_named(lone_api: httpx.Client) -> None:
    check_field(post(lone_api, json.dumps({"data": [ROW], "colour": 1})), "colour")


BATCHES = {
    "empty": [],
    "a row too short": [ROW, [5.1, 3.5, 1.4]],
    "a row too long": [ROW, [5.1, 3.5, 1.4, 0.2, 7.0]],
    "an empty row": [[]],
    "one row without its list": ROW,
    "nested too deep": [[[5.1], [3.5], [1.4], [0.2]]],
    "objects for rows": [GOOD],
    "text": "rows",
    "null": None,
    "a number": 7,
    "an object": {"0": ROW},
    "too many rows": [ROW] * 10_001,
}


@pytest.mark.parametrize("data", BATCHES.values(), ids=BATCHES)
def test_a_malformed_batch_is_refused(lone_api: httpx.Client, data: Any) -> None:
    problem = check_problem(post(lone_api, json.dumps({"data": data})), 422)
    assert all(error["field"].startswith("data") for error in problem["errors"])


@pytest.mark.parametrize("path", ["/predict", "/suggest"])
@pytest.mark.parametrize("body", ["", "null", "[]", "7", '"text"', "[5.1, 3.5]", "{", "{'a': 1}", '{"a": 1,}'])
def test_a_body_that_is_no_object_is_refused(lone_api: httpx.Client, path: str, body: str) -> None:
    check_field(post(lone_api, body, path), "body")


@pytest.mark.parametrize("path", ["/predict", "/suggest"])
@pytest.mark.parametrize(
    "body",
    [
        *(b"\xff\xfe\x00", b'{"sepal_length": "\xff"}', b"\x00" * 50, b"[" * 200_000, b'{"a":' * 200_000),
        body_with("1" * 5000).encode(),
    ],
    ids=["a byte order mark", "not UTF-8", "zeros", "deep arrays", "deep objects", "a number of 5,000 digits"],
)
def test_bytes_that_no_parser_likes_are_refused(lone_api: httpx.Client, path: str, body: bytes) -> None:
    response = post(lone_api, body, path)
    assert 400 <= response.status_code < 500
    check_problem(response, response.status_code)


@pytest.mark.parametrize("path", ["/predict", "/suggest"])
@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "in chunks"])
def test_ten_megabytes_are_refused(lone_api: httpx.Client, path: str, *, chunked: bool) -> None:
    part = b" " * 100_000
    check_problem(post(lone_api, (part for _ in range(105)) if chunked else part * 105, path), 413)
    assert lone_api.get("/livez").status_code == 200


def test_a_large_body_of_wrong_rows_is_refused_in_few_words(lone_api: httpx.Client) -> None:
    body = json.dumps({"data": [["x", "x", "x", "x"]] * 10_000})
    response = post(lone_api, body)
    check_field(response, "data[0].sepal_length")
    assert len(response.content) < len(body)


@pytest.mark.parametrize("path", ["/predict", "/suggest"])
@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"]
)
def test_a_body_that_is_not_declared_as_json_is_refused(
    lone_api: httpx.Client, path: str, content_type: str | None
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    problem = check_problem(lone_api.post(path, content=json.dumps(GOOD), headers=headers), 415)
    assert "application/json" in problem["detail"]


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_may_be_declared_with_parameters_and_in_capitals(lone_api: httpx.Client, content_type: str) -> None:
    response = lone_api.post("/predict", content=json.dumps(GOOD), headers={"Content-Type": content_type})
    assert response.status_code == 200


@pytest.mark.parametrize("path", ["/nowhere", "/predict/", "/suggest/1/2", "/%ff", "/%00"])
def test_an_unknown_path_is_a_problem(lone_api: httpx.Client, path: str) -> None:
    assert check_problem(lone_api.get(path, follow_redirects=True), 404 if path != "/predict/" else 405)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/predict"), ("DELETE", "/suggest"), ("DELETE", "/health"), ("OPTIONS", "/predict")]
)
def test_a_wrong_method_is_a_problem_that_says_which_are_allowed(
    lone_api: httpx.Client, method: str, path: str
) -> None:
    response = lone_api.request(method, path)
    check_problem(response, 405)
    assert response.headers["allow"]


def test_an_unknown_suggestion_is_a_problem(lone_api: httpx.Client) -> None:
    unknown = "018f0000-0000-7000-8000-000000000000"
    problem = check_problem(lone_api.get(f"/suggest/{unknown}"), 404)
    assert unknown in problem["detail"]


def test_a_suggestion_id_that_is_none_is_named(lone_api: httpx.Client) -> None:
    check_field(lone_api.get("/suggest/seven"), "suggestion_id")


@pytest.mark.parametrize("name", ["", "iris-setosa", "Iris-unknown", "\ud800"])
def test_an_unknown_class_is_named_and_the_known_ones_listed(lone_api: httpx.Client, name: str) -> None:
    response = post(lone_api, json.dumps({**GOOD, "class_name": name}), "/suggest")
    check_field(response, "class_name")
    assert "Iris-versicolor" in response.json()["detail"]


@pytest.mark.parametrize("name", [None, 1, True, ["Iris-setosa"], {}])
def test_a_class_that_is_no_name_is_refused(lone_api: httpx.Client, name: Any) -> None:
    check_field(post(lone_api, json.dumps({**GOOD, "class_name": name}), "/suggest"), "class_name")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip"])
@pytest.mark.parametrize("path", ["/predict", "/suggest", "/feedback", "/api/v1.0/predictions", "/api/v1.0/feedback"])
def test_a_compressed_body_is_refused_everywhere(lone_api: httpx.Client, path: str, coding: str) -> None:
    for content in (gzip.compress(json.dumps(GOOD).encode()), json.dumps(GOOD).encode()):
        response = lone_api.post(path, content=content, headers={**JSON, "Content-Encoding": coding})
        detail = check_problem(response, 415)["detail"]
        assert "compressed" in detail
        assert coding in detail


def test_a_body_that_says_that_it_is_not_compressed_is_taken(lone_api: httpx.Client) -> None:
    assert lone_api.post("/predict", json=GOOD, headers={"Content-Encoding": "Identity"}).is_success

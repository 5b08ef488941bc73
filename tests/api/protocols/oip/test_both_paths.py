"""An inference gets the same answer on the fast path and on FastAPI's route."""

import json
import re
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import HTTPException
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api.protocols.oip import routes as oip_routes
from common.settings import Settings
from tests.api.fastpath.test_routes import count
from tests.api.http.test_any_body import anything
from tests.api.protocols.oip.test_routes import BASES, LENGTH, MODEL, REFUSED, ROWS, binary, binary_tensor, body, tensor
from tests.conftest import running_api

# This header changes nothing, but the fast path leaves the request to FastAPI's route.
ROUTE = {"Content-Encoding": "identity"}
ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
RAW = np.array(ROWS, "<f4").tobytes()
IN_BINARY = binary(body(binary_tensor(RAW), parameters={"binary_data_output": True}), RAW)
SENT: dict[str, dict[str, Any]] = {
    "flat": {"json": body(id="42")},
    "in rows": {"json": body(tensor(ROWS, shape=[2, 4]), outputs=[{"name": "label"}])},
    "in binary": IN_BINARY,
    "of a wrong length": {"content": IN_BINARY["content"], "headers": {LENGTH: "7"}},
    "a large batch": {"json": body(tensor(ROWS[0] * 5000))},
} | {name: {"json": request} for name, (request, _) in REFUSED.items()}


def answered(api: httpx.Client, path: str, sent: dict[str, Any], more: dict[str, str]) -> tuple[Any, ...]:
    response = api.post(path, **sent | {"headers": sent.get("headers", {}) | more})
    told = [response.headers.get(name) for name in ("content-type", LENGTH, "content-length")]
    return response.status_code, told, ID.sub(b"id", response.content)


@pytest.mark.parametrize("end", ["", "/"])
@pytest.mark.parametrize("sent", SENT.values(), ids=SENT)
def test_both_paths_answer_alike(lone_api: httpx.Client, sent: dict[str, Any], end: str) -> None:
    fast, route = (answered(lone_api, f"{MODEL}/infer{end}", sent, more) for more in ({}, ROUTE))
    assert fast == route


@given(st.binary(max_size=60) | anything.map(json.dumps).map(str.encode), st.none() | st.integers(-1, 60))
@settings(max_examples=300, deadline=None)
@example(b"", None)
@example(b"{}", 2)
def test_both_paths_answer_any_body_alike(lone_api: httpx.Client, content: bytes, json_length: int | None) -> None:
    sent = {"content": content, "headers": {} if json_length is None else {LENGTH: str(json_length)}}
    fast, route = (answered(lone_api, f"{MODEL}/infer", sent, more) for more in ({}, ROUTE))
    assert fast == route
    assert fast[0] == 400


@pytest.mark.parametrize("end", ["", "/"])
@pytest.mark.parametrize("more", [{}, ROUTE], ids=["fast", "route"])
def test_both_paths_are_counted_alike(lone_api: httpx.Client, more: dict[str, str], end: str) -> None:
    here = {"handler": "/v2/models/{name}/infer"}
    names = ("http_requests_total", "http_request_duration_seconds_count", "http_request_size_bytes_sum")
    before = [count(lone_api, name, **here) for name in names]
    sent = lone_api.post(f"{MODEL}/infer{end}", json=body(), headers=more).request
    after = [count(lone_api, name, **here) for name in names]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, len(sent.content)]


def test_only_the_champion_without_its_number_has_a_fast_path(
    with_copy: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object) -> None:
        raise HTTPException(409, "the route is taken")

    monkeypatch.setattr(oip_routes, "_named", closed)
    with running_api(with_copy) as api:
        for end in ("", "/"):
            for sent in ({"json": body()}, IN_BINARY):
                assert api.post(f"{MODEL}/infer{end}", **sent).status_code == 200
            assert api.post(f"{MODEL}/infer{end}", json=body(), headers=ROUTE).status_code == 409
        assert api.post(f"{BASES[1]}/infer", json=body()).status_code == 409

"""The fast path gives the same answers as FastAPI's route, byte for byte, and leaves all other requests to it."""

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from api.fastpath.batches import decoder
from api.fastpath.rows import ROWS_PER_RUN, RowAnswers
from api.guards.json_bodies import SIMD_BYTES
from api.inference.predictor import Predictor
from api.model.follower import ChampionFollower, ServedVersion
from api.schemas.requests import MAX_ROWS, batch_model
from common.bundle.model import OnnxModel
from common.problem import Problem, Value, get_problem
from common.registry.client import Version
from common.store.tables import Role
from tests.api.http.test_any_body import FEATURES, body

FAST = {"content-type": "application/json"}
# Another spelling, which the fast path leaves to FastAPI's route.
ROUTE = {"content-type": "application/json; charset=utf-8"}
ID = re.compile(rb'"prediction_id":"[0-9a-f-]{36}"')
ROW = dict(zip(FEATURES, (5.1, 3.5, 1.4, 0.2), strict=True))
BATCH = {"data": [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6, 2.5]]}


def answered(api: httpx.Client, content: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
    response = api.post("/predict", content=content, headers=headers)
    return response.status_code, response.headers["content-type"], ID.sub(b"id", response.content)


def assert_same(api: httpx.Client, content: bytes) -> None:
    assert answered(api, content, FAST) == answered(api, content, ROUTE)


# Bytes that are not JSON, or nearly: cut off, with a character too many, or in another encoding.
whole = body.map(json.dumps)
broken = st.one_of(
    whole.map(str.encode),
    st.tuples(whole, st.integers(0, 200)).map(lambda cut: cut[0][: cut[1]].encode()),
    st.tuples(whole, st.integers(0, 200), st.sampled_from('{}[],:"1e-.x \n')).map(
        lambda put: (put[0][: put[1]] + put[2] + put[0][put[1] :]).encode()
    ),
    st.tuples(whole, st.sampled_from(["utf-16", "utf-32", "utf-8-sig", "utf-16-le"])).map(
        lambda said: said[0].encode(said[1])
    ),
    st.binary(max_size=60),
)


@given(broken)
@settings(max_examples=3000, deadline=None)
@example(b"")
@example(b"{}")
@example(b'{"data": [[1, 2, 3, true]]}')
@example(b'{"data": [[1, 2, 3], [1, 2, 3, 4, 5]]}')
@example(b'{"data": [1, 2, 3, 4]}')
@example(b'{"data": [[1[, 2, 3, 4]]}')
@example(b'{"data": [[[1], 2, 3, 4]]}')
@example(b'{"data": [[1, 2, 3, 1e999]]}')
@example(b'{"data": [[01, 2, 3, 4]]}')
@example(b'{"data": [[1, 2, 3, 4]]} ')
@example(b'{"data": [[1, 2, 3, 4]], "data": [[1, 2, 3, 4]]}')
@example(b'{"d\\u0061ta": [[1, 2, 3, 4]]}')
@example(b'{"data": []}')
@example(json.dumps({"data": [[1, 2, 3, 10**400]]}).encode())
@example(json.dumps(ROW).replace("5.1", "NaN").encode())
@example(json.dumps(ROW).replace("5.1", '1, "sepal_length": 5').encode())
def test_both_paths_answer_any_body_alike(lone_api: httpx.Client, content: bytes) -> None:
    assert_same(lone_api, content)


@pytest.mark.parametrize("rows", [1, 2, MAX_ROWS, MAX_ROWS + 1])
def test_batches_of_every_size_are_answered_alike(lone_api: httpx.Client, rows: int) -> None:
    assert_same(lone_api, json.dumps({"data": [[5.1, 3.5, 1.4, 0.2]] * rows}).encode())


@pytest.mark.parametrize("name", ["iris", "breast_cancer", "travel_insurance"])
def test_a_batch_is_read_as_pydantic_reads_it(name: str) -> None:
    problem = get_problem(name)
    rows = [[feature.example for feature in problem.features]] * 3
    content = json.dumps({"data": rows}).encode()
    found = decoder(problem)(content)
    assert found is not None
    assert [list(row) for row in found] == [list(row) for row in batch_model(problem).model_validate_json(content).data]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("row", "is_read"),
    [("5.1,3.5,1.4,2e-1", True), (f"5,3,1,{10**30}", False), (f"5,3,1,{10**400}", False), ("5,3,1,01", False)],
)
@pytest.mark.parametrize("blanks", [0, SIMD_BYTES])
def test_a_batch_of_any_length_is_read_alike(problem: Problem, row: str, blanks: int, *, is_read: bool) -> None:
    found = decoder(problem)(b'{"data":[%b[%b],[1,2,3,4]]}' % (b" " * blanks, row.encode()))
    assert (found is not None) == is_read
    if found is not None:
        assert [list(values) for values in found] == [[5.1, 3.5, 1.4, 0.2], [1, 2, 3, 4]]


def count(api: httpx.Client, metric: str, **labels: str) -> float:
    families = text_string_to_metric_families(api.get("/metrics").text)
    samples = (sample for family in families for sample in family.samples if sample.name == metric)
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


@pytest.mark.parametrize("sent", [ROW, BATCH])
def test_both_ways_are_counted_alike(lone_api: httpx.Client, sent: dict[str, Any]) -> None:
    content, here = json.dumps(sent).encode(), {"handler": "/predict"}
    for headers in (FAST, ROUTE):
        names = ("http_requests_total", "http_request_duration_seconds_count", "http_request_size_bytes_sum")
        before = [count(lone_api, name, **here) for name in names]
        sizes = count(lone_api, "http_response_size_bytes_sum", **here)
        received = len(lone_api.post("/predict", content=content, headers=headers).content)
        after = [count(lone_api, name, **here) for name in names]
        assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, len(content)]
        assert count(lone_api, "http_response_size_bytes_sum", **here) - sizes == received


def test_a_batch_that_comes_in_pieces_is_answered_alike(lone_api: httpx.Client) -> None:
    content = json.dumps({"data": [[5.1, 3.5, 1.4, 0.2]] * 5000}).encode()

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(content), 1000):
            yield content[start : start + 1000]

    found = [lone_api.post("/predict", content=pieces(), headers=headers) for headers in (FAST, ROUTE)]
    assert [response.status_code for response in found] == [200, 200]
    assert ID.sub(b"", found[0].content) == ID.sub(b"", found[1].content)


def test_a_body_that_is_too_large_is_refused_on_both_paths(lone_api: httpx.Client) -> None:
    for headers in (FAST, ROUTE):
        refused = lone_api.post("/predict", content=iter([b" " * 1024 * 1024] * 9), headers=headers)
        assert (refused.status_code, refused.json()["status"]) == (413, 413)


@dataclass
class Noting(Predictor):
    """A predictor that notes how many rows each run has, and neither counts nor logs."""

    runs: list[int] = field(default_factory=list)
    fails: bool = False

    def predict(self, served: ServedVersion, rows: Sequence[Sequence[Value]] | Any, role: Role = "champion") -> Any:
        from api.inference.predictor import answer

        self.runs.append(len(rows))
        if self.fails:
            raise RuntimeError("the model cannot")
        return answer(served, rows, role)


@pytest.fixture
def served(bundle: bytes) -> ServedVersion:
    return ServedVersion(Version("IrisModel", 3, "here", {}), OnnxModel(bundle))


async def ask(rows: RowAnswers, count: int) -> list[bytes | None]:
    """The answers to so many bodies that come in one turn of the event loop."""
    asked = [rows.answer(json.dumps(ROW | {"petal_width": number / 1000}).encode()) for number in range(count)]
    return [content_of(await answer) for answer in asked if answer]


def content_of(found: tuple[bytes, bytes] | None) -> bytes | None:
    return found and found[0]


async def one_by_one(rows: RowAnswers, count: int) -> list[bytes | None]:
    """The answers to the same bodies, each in a turn of its own."""
    bodies = (json.dumps(ROW | {"petal_width": number / 1000}).encode() for number in range(count))
    return [content_of(await answer) for body in bodies if (answer := rows.answer(body))]


@dataclass
class Holder:
    current: ServedVersion | None


def rows_of(problem: Problem, served: ServedVersion | None, predictor: Predictor) -> RowAnswers:
    return RowAnswers(problem, cast("ChampionFollower", Holder(served)), predictor)


def test_rows_that_come_together_are_answered_by_one_run_each_with_its_own_answer(
    problem: Problem, served: ServedVersion
) -> None:
    predictor = Noting()
    answers = asyncio.run(ask(rows_of(problem, served, predictor), 20))
    assert predictor.runs == [20]
    found = [json.loads(answer or b"")["outlier_score"] for answer in answers]
    singly = asyncio.run(one_by_one(rows_of(problem, served, predictor), 20))
    alone = [json.loads(answer or b"")["outlier_score"] for answer in singly]
    # The last digits depend on how many rows the model sees at once.
    assert found == pytest.approx(alone, abs=1e-6)
    assert len({json.loads(answer or b"")["prediction_id"] for answer in answers}) == 20


def test_a_run_has_a_bounded_number_of_rows(problem: Problem, served: ServedVersion) -> None:
    predictor = Noting()
    assert None not in asyncio.run(ask(rows_of(problem, served, predictor), 2 * ROWS_PER_RUN + 1))
    assert predictor.runs == [ROWS_PER_RUN, ROWS_PER_RUN, 1]


def test_rows_that_cannot_be_answered_are_left_to_the_route(problem: Problem, served: ServedVersion) -> None:
    assert asyncio.run(ask(rows_of(problem, None, Noting()), 3)) == [None] * 3
    assert asyncio.run(ask(rows_of(problem, served, Noting(fails=True)), 3)) == [None] * 3

"""Tensors in JSON and in binary: there and back for whatever there is, and nothing taken that `/predict` refuses."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydantic import TypeAdapter, ValidationError

from api.protocols.oip.errors import OipRequestError
from api.protocols.oip.read import Reader, with_array
from api.protocols.oip.tensors import NUMBERS, numbers_of, pack_text, texts_of, unpack_numbers, unpack_texts
from api.schemas.requests import STRICT, rows_type
from common.problem import Number, Problem, get_problem
from tests.api.http.test_any_body import anything

IRIS, TRAVEL = get_problem("iris"), get_problem("travel_insurance")
ROWS_OF: dict[str, TypeAdapter[Any]] = {
    problem.name: TypeAdapter(rows_type(problem), config=STRICT) for problem in (IRIS, TRAVEL)
}
READERS = {problem.name: Reader(problem) for problem in (IRIS, TRAVEL)}

texts = st.lists(st.text(max_size=20), min_size=1, max_size=20)


def packed(values: list[str]) -> bytes:
    return b"".join(map(pack_text, values))


@given(texts)
@example(["", "\x00", "ä", "\U0001f4a5" * 100])
def test_texts_come_back_from_binary_and_from_json(values: list[str]) -> None:
    shape = [len(values), 1]
    assert unpack_texts(packed(values), shape, "x") == values
    for data in (values, [[value] for value in values]):
        assert texts_of(json.loads(json.dumps(data)), shape, "x") == values


@given(st.binary(max_size=40), st.integers(1, 4))
@example(b"\x00" * 8, 2)
@example(b"\x00" * 12, 2)
@example(b"\x01\x00\x00\x00", 1)
def test_any_bytes_are_the_texts_that_they_say_or_refused(raw: bytes, rows: int) -> None:
    try:
        found = unpack_texts(raw, [rows, 1], "x")
    except OipRequestError:
        return
    assert len(found) == rows
    assert packed(found) == raw


@pytest.mark.parametrize("raw", [b"\1\0\0\0a", b"\1\0\0\0a\1", b"\1\0\0\0a\2\0\0\0b", b"\1\0\0\0a\xff\xff\xff\xff"])
def test_the_text_that_bytes_end_within_is_named(raw: bytes) -> None:
    with pytest.raises(OipRequestError, match="within text 1"):
        unpack_texts(raw, [2, 1], "x")


@pytest.mark.parametrize("datatype", NUMBERS)
@given(data=st.data())
def test_numbers_come_back_from_binary_and_from_json(datatype: str, data: st.DataObject) -> None:
    dtype = np.dtype(NUMBERS[datatype])
    elements = {"allow_nan": False, "allow_infinity": False} if dtype.kind == "f" else None
    values = data.draw(arrays.arrays(dtype, arrays.array_shapes(min_dims=2, max_dims=2, max_side=5), elements=elements))
    found = unpack_numbers(values.tobytes(), datatype, values.shape, "x")
    assert np.array_equal(found, values.ravel().astype(found.dtype))
    limits = np.iinfo(dtype) if dtype.kind in "iu" else None
    # Beyond 2**53 a JSON number is the nearest double, which may be none of 64 bits any more.
    assert limits is None or np.array_equal(found.astype(np.float64), values.ravel().astype(np.float64))
    if limits is None or limits.bits < 64 or (np.abs(values.astype(np.float64)) <= 2**53).all():
        for form in (values.tolist(), values.ravel().tolist()):
            in_json = numbers_of(json.loads(json.dumps(form)), datatype, values.shape, "x")
            assert in_json.dtype == np.float64
            assert np.array_equal(in_json, values.ravel().astype(np.float64))


def sent(problem: Problem, rows: list[list[Any]], *, nested: bool) -> bytes:
    """Return a request about rows, as a client sends it."""
    if problem.is_numeric:
        data = rows if nested else [value for row in rows for value in row]
        return request({"name": "input", "shape": [len(rows), 4], "datatype": "FP64", "data": data})
    tensors = []
    for feature, column in zip(problem.features, zip(*rows, strict=True), strict=True):
        datatype = "FP64" if isinstance(feature, Number) else "BYTES"
        data = [[value] for value in column] if nested else list(column)
        tensors.append({"name": feature.name, "shape": [len(rows), 1], "datatype": datatype, "data": data})
    return request(*tensors)


def request(*tensors: dict[str, Any]) -> bytes:
    return json.dumps({"inputs": list(tensors)}).encode()


def rows_of(problem: Problem) -> st.SearchStrategy[list[list[Any]]]:
    """Return rows that are mostly right, so that both sides of what is refused are reached."""

    def value(feature: Any) -> st.SearchStrategy[Any]:
        if isinstance(feature, Number):
            low, high = feature.minimum, feature.maximum
            edges = [low, high, np.nextafter(low, -np.inf), np.nextafter(high, np.inf), int(low), int(high), True]
            right: st.SearchStrategy[Any] = st.floats(low, high) | st.sampled_from(edges)
        else:
            right = st.sampled_from([*feature.categories, "x" * 200]) | st.text(min_size=1, max_size=5)
        return st.one_of(*[right] * 20, anything)

    row = st.tuples(*map(value, problem.features)).map(list)
    return st.lists(row, min_size=1, max_size=3)


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "in rows"])
@pytest.mark.parametrize("problem", [IRIS, TRAVEL], ids=lambda problem: problem.name)
@given(data=st.data())
def test_rows_are_read_or_refused_as_predict_reads_or_refuses_them(
    problem: Problem, data: st.DataObject, *, nested: bool
) -> None:
    rows = data.draw(rows_of(problem))
    content = sent(problem, rows, nested=nested)
    try:
        expected = ROWS_OF[problem.name].validate_json(json.dumps(rows))
    except ValidationError:
        with pytest.raises(OipRequestError):
            READERS[problem.name].read(content, None)
    else:
        _, found = READERS[problem.name].read(content, None)
        assert [tuple(row) for row in found] == [tuple(row) for row in expected]


@given(
    st.lists(st.floats(-1e6, 1e6) | st.integers(-9, 9), min_size=1), st.dictionaries(st.text(), anything, max_size=3)
)
def test_a_request_with_its_numbers_as_an_array_is_the_same_request(values: list[float], more: dict[str, Any]) -> None:
    tensor = {"name": "input", "shape": [len(values), 1], "datatype": "FP64", "data": values}
    content = json.dumps({**more, "inputs": [{**more, **tensor}]}).encode()
    found = with_array(content)
    # The other fields may have lists within lists, and such a request is not read into an array.
    if found is not None or not more:
        assert found is not None
        assert found["inputs"][0]["data"].dtype == np.float64
        found["inputs"][0]["data"] = found["inputs"][0]["data"].tolist()
        assert found == json.loads(content)


@pytest.mark.parametrize("data", ["[[1, 2], [], 3, 4]", "[true]", "[1e999]", "1", "[1", '["1"]'])
def test_data_that_are_no_flat_array_of_numbers_are_left_to_the_ordinary_way(data: str) -> None:
    assert with_array(f'{{"inputs": [{{"shape": [1, 4], "datatype": "FP32", "data": {data}}}]}}'.encode()) is None
    assert with_array(b'{"inputs": [{"shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}') is not None


@given(st.binary() | anything.map(json.dumps).map(str.encode), st.none() | st.text(max_size=5) | st.integers().map(str))
@example(b"{}", "2")
@example(b'{"inputs": []}{', "14")
def test_any_bytes_are_a_request_or_refused(content: bytes, json_length: str | None) -> None:
    for reader in READERS.values():
        with pytest.raises(OipRequestError):
            reader.read(content, json_length)

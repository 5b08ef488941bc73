"""Requests of the Open Inference Protocol: from a body to rows of features."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import simdjson
from pydantic import TypeAdapter, ValidationError

from api.guards.array_limits import ArrayLimits
from api.guards.json_bodies import NO_NUMBERS, SIMD_BYTES, TooHeavyError, check_weight, flat_numbers
from api.protocols.oip.errors import OipRequestError
from api.protocols.oip.tensors import NUMBERS, numbers_of, texts_of, unpack_numbers, unpack_texts
from api.protocols.oip.types import JSON_LENGTH, TEXT, InferRequest, RequestInput, inputs_of
from api.schemas.requests import MAX_ROWS, STRICT, rows_type
from common.problem import Floats, Number, Problem, Rows, Value

MOST_DIGITS = 10  # of a length: no body has a gigabyte
MOST_KEYS = 20  # of an object that simdjson reads


@dataclass(frozen=True)
class InputTensor:
    """An input of a request, its name in messages, and its bytes behind the JSON if it is binary."""

    given: RequestInput
    place: str
    raw: bytes | None


class Reader:
    """Reads requests about one problem."""

    def __init__(self, problem: Problem) -> None:
        """Take inputs, limits of plausibility and categories from `problem`."""
        self._problem = problem
        self._widths = {known.name: known.shape[1] for known in inputs_of(problem)}
        self._limits = ArrayLimits(problem)
        self._rows: TypeAdapter[Sequence[Sequence[Value]]] = TypeAdapter(rows_type(problem), config=STRICT)

    def read(self, body: bytes, json_length: str | None) -> tuple[InferRequest, Rows | Sequence[Sequence[Value]]]:
        """Return the request and its rows: an array `[rows, features]` where all features are numbers, else lists.

        Args:
            body: the body of the request.
            json_length: the header with the length of the JSON at the beginning of the body; None if all is JSON.

        Raises:
            OipRequestError: it is no request about rows of this problem; the message names the place and the mistake.
        """
        head, tail = _split(body, json_length)
        try:
            check_weight(head, self._problem)
        except TooHeavyError as error:
            raise OipRequestError(error.detail) from error
        request = _parse(head, tail)
        tensors = self._in_order(_tensors(request, tail))
        if not self._problem.is_numeric:
            return request, self._from_columns(tensors)
        rows = _numbers(tensors[0]).reshape(tensors[0].given.shape)
        if not self._limits.hold(rows):
            self._validated(rows.tolist(), tensors)
        return request, rows

    def _in_order(self, tensors: Sequence[InputTensor]) -> list[InputTensor]:
        by_name: dict[str, InputTensor] = {}
        for tensor in tensors:
            name = tensor.given.name
            if name not in self._widths or name in by_name:
                wrong = "is there twice" if name in by_name else f"is none of {', '.join(self._widths)}"
                raise OipRequestError(f"{tensor.place}.name: {name!r} {wrong}")
            _check_shape(tensor, self._widths[name])
            by_name[name] = tensor
        if missing := self._widths.keys() - by_name.keys():
            raise OipRequestError(f"inputs: {min(missing)!r} is missing")
        return [by_name[name] for name in self._widths]

    def _from_columns(self, tensors: Sequence[InputTensor]) -> Sequence[Sequence[Value]]:
        pairs = zip(self._problem.features, tensors, strict=True)
        columns = [
            _numbers(tensor).tolist() if isinstance(known, Number) else _texts(tensor) for known, tensor in pairs
        ]
        if len(lengths := {len(column) for column in columns}) > 1:
            raise OipRequestError(f"inputs: all need the same number of rows, not {min(lengths)} and {max(lengths)}")
        return self._validated(list(zip(*columns, strict=True)), tensors)

    def _validated(self, rows: Sequence[Any], tensors: Sequence[InputTensor]) -> Sequence[Sequence[Value]]:
        """Return rows as `POST /predict` validates them; the mistake of an error has the same words, too."""
        try:
            return self._rows.validate_python(rows)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)[0]
            row, column = map(int, found["loc"])
            is_one = len(tensors) == 1
            tensor, place = (tensors[0], row * len(rows[0]) + column) if is_one else (tensors[column], row)
            name = self._problem.columns[column]
            raise OipRequestError(f"{tensor.place}.data[{place}] ({name} of row {row}): {found['msg']}") from error


def _split(body: bytes, json_length: str | None) -> tuple[bytes, bytes]:
    if json_length is None:
        return body, b""
    is_number = len(json_length) < MOST_DIGITS and json_length.isascii() and json_length.isdigit()
    length = int(json_length) if is_number else -1
    if not 0 <= length <= len(body):
        raise OipRequestError(f"{JSON_LENGTH}: {json_length[:20]!r} is no length within a body of {len(body)} bytes")
    return body[:length], body[length:]


def _parse(head: bytes, tail: bytes) -> InferRequest:
    flat = with_array(head) if not tail else None  # a binary tensor has no numbers in the JSON
    try:
        return InferRequest.model_validate(flat or orjson.loads(head))
    except orjson.JSONDecodeError as error:
        raise OipRequestError(f"body: not JSON: {error}") from error
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in found["loc"]]
        raise OipRequestError(f"{''.join(parts).lstrip('.') or 'body'}: {found['msg']}") from error


def with_array(head: bytes) -> dict[str, Any] | None:
    """Return a request, decoded, with the `data` of its only input as an array `[values]` of float64.

    This takes half the time that Python's own numbers take. The result is None for every other request, valid or not.
    """
    if len(head) > SIMD_BYTES:
        return None
    try:
        request = _entries(simdjson.Parser().parse(head))
        [only] = request.pop("inputs")
        given = _entries(only)
        values = flat_numbers(given.pop("data"))
    except NO_NUMBERS:
        return None
    more = {name: _plain(value) for name, value in request.items()}
    described = {name: _plain(value) for name, value in given.items()}
    # `flat_numbers` flattens nested lists of any lengths. So there must be no lists but these, the inputs and the data.
    lists = 2 + sum(isinstance(value, list) for value in (*more.values(), *described.values()))
    if head.count(b"[") != lists or described.get("datatype") == TEXT:
        return None
    return more | {"inputs": [described | {"data": values}]}


def _entries(found: Any) -> dict[str, Any]:
    # simdjson looks for each key from the beginning: a thousand keys would take a thousand times as long as one.
    if len(found) > MOST_KEYS:
        raise ValueError("no request has so many keys")
    return dict(found)


def _plain(value: Any) -> Any:
    if isinstance(value, simdjson.Array):
        return value.as_list()
    return value.as_dict() if isinstance(value, simdjson.Object) else value


def _tensors(request: InferRequest, tail: bytes) -> list[InputTensor]:
    """Return the inputs with their bytes, which follow the JSON one after the other with nothing between them."""
    tensors, start = [], 0
    for index, given in enumerate(request.inputs):
        place, size = f"inputs[{index}]", given.parameters.binary_data_size if given.parameters else None
        if (size is None) == (given.data is None):
            raise OipRequestError(f"{place}: send either data or, with the header {JSON_LENGTH}, a binary_data_size")
        tensors.append(InputTensor(given, place, None if size is None else tail[start : start + size]))
        start += size or 0
    if start != len(tail):
        raise OipRequestError(f"body: {len(tail)} bytes follow the JSON, but the inputs have {start}")
    return tensors


def _check_shape(tensor: InputTensor, width: int) -> None:
    match tensor.given.shape:
        case [rows, columns] if 1 <= rows <= MAX_ROWS and columns == width:
            return
    raise OipRequestError(f"{tensor.place}.shape: {tensor.given.shape} is not [1 to {MAX_ROWS}, {width}]")


def _numbers(tensor: InputTensor) -> Floats:
    given, place = tensor.given, tensor.place
    if given.datatype not in NUMBERS:
        raise OipRequestError(f"{place}.datatype: {given.datatype!r} is none of {', '.join(NUMBERS)}")
    if tensor.raw is not None:
        return unpack_numbers(tensor.raw, given.datatype, given.shape, place)
    return numbers_of(given.data, given.datatype, given.shape, place)


def _texts(tensor: InputTensor) -> list[str]:
    given, place = tensor.given, tensor.place
    if given.datatype != TEXT:
        raise OipRequestError(f"{place}.datatype: {given.datatype!r} is not {TEXT}")
    if tensor.raw is not None:
        return unpack_texts(tensor.raw, given.shape, place)
    return texts_of(given.data, given.shape, place)

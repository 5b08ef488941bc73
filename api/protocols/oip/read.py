"""What clients of the Open Inference Protocol send: a body in, rows of features out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from pydantic import TypeAdapter, ValidationError

from api.http.json_bodies import TooHeavyError, check_weight
from api.protocols.oip.array import with_array
from api.protocols.oip.errors import OipRequestError
from api.protocols.oip.tensors import NUMBERS, numbers_of, texts_of, unpack_numbers, unpack_texts
from api.protocols.oip.types import JSON_LENGTH, TEXT, InferRequest, RequestInput, inputs_of
from api.schemas.requests import MAX_ROWS, STRICT, rows_type
from common.problem import Floats, Number, Problem, Rows, Value

MOST_DIGITS = 10  # of a length: no body has a gigabyte

Limits = tuple[Floats, Floats]


@dataclass(frozen=True)
class Tensor:
    """An input as it was sent, and what it is called in messages; `raw` is what came of it behind the JSON."""

    given: RequestInput
    place: str
    raw: bytes | None


class Reader:
    """Reads requests about one problem."""

    def __init__(self, problem: Problem) -> None:
        """Take inputs, limits of plausibility and categories from `problem`."""
        self._problem = problem
        self._widths = {known.name: known.shape[1] for known in inputs_of(problem)}
        self._rows: TypeAdapter[Sequence[Sequence[Value]]] = TypeAdapter(rows_type(problem), config=STRICT)
        # By datatype: 0.1 as FP32 is a little more than 0.1, and no less plausible.
        self._limits = {np.dtype(kind): _limits(problem, kind) for kind in (np.float32, np.float64)}

    def read(self, body: bytes, json_length: str | None) -> tuple[InferRequest, Rows | Sequence[Sequence[Value]]]:
        """Return the request and its rows: an array `[rows, features]` where all features are numbers, else lists.

        Args:
            body: what was sent.
            json_length: the header that says how long the JSON at its beginning is; None if it is all of it.

        Raises:
            OipRequestError: it is no request about rows of this problem; the message says where and why.
        """
        head, tail = _split(body, json_length)
        try:
            check_weight(head, self._problem)
        except TooHeavyError as error:
            raise OipRequestError(f"{error}") from error
        request = _parse(head, tail)
        tensors = self._in_order(_tensors(request, tail))
        if not self._problem.is_numeric:
            return request, self._from_columns(tensors)
        (tensor,) = tensors
        return request, self._checked(_numbers(tensor).reshape(tensor.given.shape), tensor.place)

    def _in_order(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        by_name: dict[str, Tensor] = {}
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

    def _checked(self, rows: Floats, place: str) -> Floats:
        low, high = self._limits[rows.dtype]
        # Along columns that lie in one piece, minimum and maximum take an eighth of what they take across rows.
        columns = np.ascontiguousarray(rows.T)
        if (columns.min(axis=1) >= low).all() and (columns.max(axis=1) <= high).all():
            return rows
        row, column = np.argwhere(~((rows >= low) & (rows <= high)))[0].tolist()
        feature = self._problem.features[column]
        assert isinstance(feature, Number)  # noqa: S101  # only their arrays come here
        raise OipRequestError(
            f"{place}.data[{row * len(columns) + column}] ({feature.name} of row {row}): {rows[row, column]} "
            f"is not from {feature.minimum} to {feature.maximum} {feature.unit}"
        )

    def _from_columns(self, tensors: Sequence[Tensor]) -> Sequence[Sequence[Value]]:
        pairs = zip(self._problem.features, tensors, strict=True)
        columns = [
            _numbers(tensor).tolist() if isinstance(known, Number) else _texts(tensor) for known, tensor in pairs
        ]
        if len(lengths := {len(column) for column in columns}) > 1:
            raise OipRequestError(f"inputs: as many rows in each, and not {min(lengths)} and {max(lengths)}")
        try:
            return self._rows.validate_python(list(zip(*columns, strict=True)))
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)[0]
            row, column = found["loc"]
            tensor = tensors[int(column)]
            raise OipRequestError(f"{tensor.place}.data[{row}] ({tensor.given.name}): {found['msg']}") from error


def _split(body: bytes, json_length: str | None) -> tuple[bytes, bytes]:
    if json_length is None:
        return body, b""
    is_number = len(json_length) < MOST_DIGITS and json_length.isascii() and json_length.isdigit()
    length = int(json_length) if is_number else -1
    if not 0 <= length <= len(body):
        raise OipRequestError(f"{JSON_LENGTH}: {json_length[:20]!r} is no length within a body of {len(body)} bytes")
    return body[:length], body[length:]


def _parse(head: bytes, tail: bytes) -> InferRequest:
    flat = with_array(head) if not tail else None  # what is binary has no numbers here
    try:
        return InferRequest.model_validate(flat or orjson.loads(head))
    except orjson.JSONDecodeError as error:
        raise OipRequestError(f"body: no JSON: {error}") from error
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in found["loc"]]
        raise OipRequestError(f"{''.join(parts).lstrip('.') or 'body'}: {found['msg']}") from error


def _tensors(request: InferRequest, tail: bytes) -> list[Tensor]:
    """Return the inputs with their bytes of those behind the JSON: one after the other, nothing between."""
    tensors, start = [], 0
    for index, given in enumerate(request.inputs):
        place, size = f"inputs[{index}]", given.parameters.binary_data_size if given.parameters else None
        if (size is None) == (given.data is None):
            raise OipRequestError(f"{place}: either data or, with the header {JSON_LENGTH}, a binary_data_size")
        tensors.append(Tensor(given, place, None if size is None else tail[start : start + size]))
        start += size or 0
    if start != len(tail):
        raise OipRequestError(f"body: {len(tail)} bytes behind the JSON, where the inputs have {start}")
    return tensors


def _check_shape(tensor: Tensor, width: int) -> None:
    match tensor.given.shape:
        case [rows, columns] if 1 <= rows <= MAX_ROWS and columns == width:
            return
    raise OipRequestError(f"{tensor.place}.shape: {tensor.given.shape}, and not [1 to {MAX_ROWS}, {width}]")


def _numbers(tensor: Tensor) -> Floats:
    given, place = tensor.given, tensor.place
    if given.datatype not in NUMBERS:
        raise OipRequestError(f"{place}.datatype: {given.datatype!r} is none of {', '.join(NUMBERS)}")
    if tensor.raw is not None:
        return unpack_numbers(tensor.raw, given.datatype, given.shape, place)
    return numbers_of(given.data, given.datatype, given.shape, place)


def _texts(tensor: Tensor) -> list[str]:
    given, place = tensor.given, tensor.place
    if given.datatype != TEXT:
        raise OipRequestError(f"{place}.datatype: {given.datatype!r} is not {TEXT}")
    if tensor.raw is not None:
        return unpack_texts(tensor.raw, given.shape, place)
    return texts_of(given.data, given.shape, place)


def _limits(problem: Problem, kind: type[np.floating[Any]]) -> Limits:
    largest = np.finfo(kind).max
    bounds = [(each.minimum, each.maximum) for each in problem.features if isinstance(each, Number)]
    # Infinity is plausible nowhere, not even where there is no limit.
    low, high = np.array(bounds).reshape(-1, 2).clip(-largest, largest).astype(kind).T
    return low, high

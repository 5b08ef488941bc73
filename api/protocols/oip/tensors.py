"""Tensors as the Open Inference Protocol sends them, in JSON and in binary, to arrays and lists and back."""

import math
import struct
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import orjson

from api.protocols.oip.errors import OipRequestError
from api.protocols.oip.types import TEXT
from common.problem import Floats

NUMBERS = {"FP32": "<f4", "FP64": "<f8"} | {
    f"{sign}INT{8 * size}": f"<{kind}{size}" for sign, kind in (("", "i"), ("U", "u")) for size in (1, 2, 4, 8)
}
MOST_SHOWN = 30  # characters of a wrong value
LENGTH_BYTES = 4  # of a text


def numbers_of(data: Any, datatype: str, shape: Sequence[int], place: str) -> Floats:
    """Return numbers that came as JSON, flat or in rows, as float64, flat.

    Args:
        data: as it was decoded: lists, or an array of float64.
        datatype: what they are said to be.
        shape: rows and width, as many as there should be.
        place: what messages call the tensor.

    Raises:
        OipRequestError: there are more or fewer, or they are no such numbers.
    """
    if not isinstance(data, np.ndarray):
        numbers = _packed(data, datatype, shape, place)
    elif len(data) == math.prod(shape):
        numbers = data
    else:
        raise _misshapen(shape, place)
    if not datatype.startswith("FP"):
        _check_integers(numbers, datatype, place)
    return numbers


def _packed(data: Any, datatype: str, shape: Sequence[int], place: str) -> Floats:
    flat = _flat(data, shape, place)
    try:
        # A third of the time of np.array, and text is refused.
        numbers = np.frombuffer(struct.pack(f"{len(flat)}d", *flat))
    except struct.error as error:
        raise _first_other(flat, (int, float), datatype, place) from error
    # What is packed like 1 and 0 may have been true and false.
    alike = np.flatnonzero((numbers == 0) | (numbers == 1)).tolist()
    if bool in {type(flat[index]) for index in alike}:
        raise _first_other(flat, (int, float), datatype, place)
    return numbers


def texts_of(data: Any, shape: Sequence[int], place: str) -> list[str]:
    """Return texts that came as JSON, flat or in rows, flat.

    Raises:
        OipRequestError: there are more or fewer, or they are no texts.
    """
    flat = _flat(data, shape, place)
    if set(map(type, flat)) - {str}:
        raise _first_other(flat, (str,), TEXT, place)
    return flat


def unpack_numbers(raw: bytes, datatype: str, shape: Sequence[int], place: str) -> Floats:
    """Return numbers that came in binary: of FP32 as float32, else as float64, flat.

    Raises:
        OipRequestError: there are more or fewer.
    """
    dtype, count = np.dtype(NUMBERS[datatype]), math.prod(shape)
    if len(raw) != count * dtype.itemsize:
        raise OipRequestError(f"{place}: {len(raw)} bytes, where {count} {datatype} have {count * dtype.itemsize}")
    return np.frombuffer(raw, dtype).astype(np.float32 if datatype == "FP32" else np.float64, copy=False)


def unpack_texts(raw: bytes, shape: Sequence[int], place: str) -> list[str]:
    """Return texts that came in binary: each after its length in bytes, four of them, little-endian.

    Raises:
        OipRequestError: there are more or fewer, or one is not UTF-8.
    """
    texts: list[str] = []
    end = 0
    for index in range(math.prod(shape)):
        begin = end + LENGTH_BYTES
        end = begin + int.from_bytes(raw[end:begin], "little")
        if end > len(raw):
            raise OipRequestError(f"{place}: the bytes end within text {index}")
        try:
            texts.append(raw[begin:end].decode())
        except UnicodeDecodeError as error:
            raise OipRequestError(f"{place}: text {index} is not UTF-8") from error
    if end != len(raw):
        raise OipRequestError(f"{place}: {len(raw) - end} bytes behind the last of {len(texts)} texts")
    return texts


def pack_text(text: str) -> bytes:
    """Return a text as it stands in a binary tensor: its length, then its bytes."""
    encoded = text.encode()
    return len(encoded).to_bytes(LENGTH_BYTES, "little") + encoded


def _flat(data: Any, shape: Sequence[int], place: str) -> list[Any]:
    rows, width = shape
    if isinstance(data, list) and len(data) == rows and set(map(type, data)) == {list}:
        if set(map(len, data)) == {width}:
            return list(chain.from_iterable(data))
    elif isinstance(data, list) and len(data) == rows * width:
        return data
    raise _misshapen(shape, place)


def _misshapen(shape: Sequence[int], place: str) -> OipRequestError:
    rows, width = shape
    return OipRequestError(
        f"{place}.data: not the {rows * width} values of the shape [{rows}, {width}], flat or in rows"
    )


def _first_other(flat: list[Any], types: tuple[type, ...], datatype: str, place: str) -> OipRequestError:
    index = next(index for index, value in enumerate(flat) if type(value) not in types)
    return OipRequestError(f"{place}.data[{index}]: {_shown(flat[index])} is no {datatype}")


def _shown(value: Any) -> str:
    return orjson.dumps(value).decode()[:MOST_SHOWN]


def _check_integers(numbers: Floats, datatype: str, place: str) -> None:
    known = np.iinfo(NUMBERS[datatype])
    wrong = np.flatnonzero((numbers != np.rint(numbers)) | (numbers < known.min) | (numbers > known.max))
    if wrong.size:
        raise OipRequestError(f"{place}.data[{wrong[0]}]: {numbers[wrong[0]]} is no {datatype}")

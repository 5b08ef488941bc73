"""Tensors of the Open Inference Protocol, in JSON and in binary, to arrays and lists and back."""

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
LENGTH_BYTES = 4  # before each text of a binary tensor


def numbers_of(data: Any, datatype: str, shape: Sequence[int], place: str) -> Floats:
    """Return the numbers of a tensor in JSON, flat or in rows, as float64, flat.

    Args:
        data: the decoded data: lists, or an array of float64.
        datatype: the datatype that the request names, one of `NUMBERS`.
        shape: the numbers of rows and of columns that the request names.
        place: the name of the tensor in messages.

    Raises:
        OipRequestError: the number of values is not that of the shape, or a value is not of the datatype.
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
        # This takes a third of the time of np.array, and refuses text.
        numbers = np.frombuffer(struct.pack(f"{len(flat)}d", *flat))
    except struct.error as error:
        raise _first_other(flat, (int, float), datatype, place) from error
    # 1 and 0 may have been true and false.
    alike = np.flatnonzero((numbers == 0) | (numbers == 1)).tolist()
    if bool in {type(flat[index]) for index in alike}:
        raise _first_other(flat, (int, float), datatype, place)
    return numbers


def texts_of(data: Any, shape: Sequence[int], place: str) -> list[str]:
    """Return the texts of a tensor in JSON, flat or in rows, as a flat list.

    Raises:
        OipRequestError: the number of values is not that of the shape, or a value is no text.
    """
    flat = _flat(data, shape, place)
    if set(map(type, flat)) - {str}:
        raise _first_other(flat, (str,), TEXT, place)
    return flat


def unpack_numbers(raw: bytes, datatype: str, shape: Sequence[int], place: str) -> Floats:
    """Return the numbers of a binary tensor, flat: FP32 as float32, every other datatype as float64.

    Raises:
        OipRequestError: the number of bytes is not that of the shape.
    """
    dtype, count = np.dtype(NUMBERS[datatype]), math.prod(shape)
    if len(raw) != count * dtype.itemsize:
        raise OipRequestError(f"{place}: {len(raw)} bytes, but {count} {datatype} have {count * dtype.itemsize}")
    return np.frombuffer(raw, dtype).astype(np.float32 if datatype == "FP32" else np.float64, copy=False)


def unpack_texts(raw: bytes, shape: Sequence[int], place: str) -> list[str]:
    """Return the texts of a binary tensor. Before each text stands its length in bytes, as four bytes, little-endian.

    Raises:
        OipRequestError: the number of texts is not that of the shape, or a text is not UTF-8.
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
        raise OipRequestError(f"{place}: {len(raw) - end} bytes follow the last of {len(texts)} texts")
    return texts


def pack_text(text: str) -> bytes:
    """Return a text in the form of a binary tensor: its length, then its bytes."""
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
    return OipRequestError(f"{place}.data: the shape [{rows}, {width}] needs {rows * width} values, flat or in rows")


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

"""Finds tensors of an ONNX file whose numbers are in another file, which ONNX Runtime would read from this machine.

The walk follows the fields of onnx.proto (https://github.com/onnx/onnx) that can hold a tensor, without the package
`onnx`, which the services do not install. The part of the graph that a bundle has in its metadata is walked, too.
"""

import json
from collections.abc import Iterator

# By the kind of a message: the kinds of its fields that lead to a tensor, by their numbers in onnx.proto.
LEADS_TO = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor",
    },
}  # fmt: skip
METADATA = 14  # the field of a model; its entries have a key and a value
PART = b"outlier_part"  # the key of the part of the graph, which is JSON of hexadecimal digits
EXTERNAL_DATA = 13  # the field of a tensor
KEY = b"location"  # names the other file in that field
# How the value of a field is written, in the last three bits of its tag.
VARINT, WITH_LENGTH = 0, 2
GROUP = {3, 4}  # its beginning and its end; ONNX has none, and protobuf passes over unknown ones
WIDTHS = {1: 8, 5: 4}  # bytes
MAX_VARINT = 10  # bytes
MORE = 0x80  # the bit of a byte that says that another one follows


def has_external_data(content: bytes) -> bool:
    """Return whether a tensor of an ONNX file is in another file.

    Raises:
        ValueError: the bytes are no message of protobuf, or a part in the metadata is damaged; ONNX Runtime refuses
            such a file, too.
    """
    return any(_leads_elsewhere(each) for each in (content, *_parts(content)))


def _parts(content: bytes) -> Iterator[bytes]:
    for number, begins, ends in _messages(content, 0, len(content)):
        if number == METADATA:
            entry = {field: content[start:end] for field, start, end in _messages(content, begins, ends)}
            if entry.get(1) == PART:
                yield bytes.fromhex(_decoded(entry.get(2, b"").decode()))


def _decoded(text: str) -> str:
    # As `common/bundle/metadata.py` reads it.
    try:
        return str(json.loads(text))
    except ValueError:
        return text


def _leads_elsewhere(content: bytes) -> bool:
    if KEY not in content:
        return False
    waiting = [("model", 0, len(content))]
    while waiting:
        kind, start, end = waiting.pop()
        leads_to = LEADS_TO.get(kind, {})
        for number, begins, ends in _messages(content, start, end):
            if kind == "tensor" and number == EXTERNAL_DATA:
                return True
            if number in leads_to:
                waiting.append((leads_to[number], begins, ends))
    return False


def _messages(content: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, beginning and end of the fields with a length between two places."""
    while at < end:
        tag, at = _varint(content, at)
        wire_type = tag & 7
        if wire_type == VARINT:
            _, at = _varint(content, at)
        elif wire_type in WIDTHS:
            at += WIDTHS[wire_type]
        elif wire_type == WITH_LENGTH:
            length, at = _varint(content, at)
            if at + length > end:
                raise ValueError(f"a field at byte {at} is longer than the message that it is in")
            yield tag >> 3, at, at + length
            at += length
        # The fields of a group are taken for those around it: rather too many than too few.
        elif wire_type not in GROUP:
            raise ValueError(f"a field at byte {at} has the wire type {wire_type}, which does not exist")


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """Return a number of variable length, and the place behind it."""
    value = 0
    for index in range(MAX_VARINT):
        if at + index >= len(content):
            break
        byte = content[at + index]
        value |= (byte % MORE) << (7 * index)
        if byte < MORE:
            return value, at + index + 1
    raise ValueError(f"a number at byte {at} does not end")

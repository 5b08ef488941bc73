"""ONNX files that would read other files of this machine are found, wherever the tensor is in the graph."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper

from common.bundle.model import ModelError, OnnxModel
from common.signing.external_data import has_external_data

SECRET = b"KEY="


def outside(file: str = ".env") -> TensorProto:
    """Return a tensor whose four numbers are the first bytes of a file."""
    tensor = TensorProto(name="bytes", data_type=TensorProto.UINT8, dims=[1, 4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", file), ("offset", "0"), ("length", "4")):
        tensor.external_data.add(key=key, value=value)
    return tensor


def reading(file: str = ".env") -> ModelProto:
    """Return a model that gives four bytes of a file away: each probability is a byte, divided by 255."""
    nodes = [
        helper.make_node("Cast", ["input"], ["zeros"], to=TensorProto.UINT8),
        helper.make_node("Max", ["zeros", "bytes"], ["read"]),
        helper.make_node("Cast", ["read"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["numbers", "share"], ["probabilities"]),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "reads_a_file",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["rows", 4])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, ["rows"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", 4]),
        ],
        [helper.make_tensor("share", TensorProto.FLOAT, [1], [1 / 255]), outside(file)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"classes": json.dumps(list("abcd"))})
    return model


def test_without_the_check_a_model_gives_away_a_file_of_the_folder_it_is_loaded_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_bytes(SECRET)
    monkeypatch.chdir(tmp_path)
    model = OnnxModel(reading().SerializeToString())
    answer = model.predict(np.zeros((1, 4), dtype=np.float32))
    assert answer.probabilities is not None
    assert bytes((answer.probabilities[0] * 255).round().astype(np.uint8)) == SECRET


def in_the_graph() -> ModelProto:
    return reading()


def in_an_attribute() -> ModelProto:
    model = reading()
    constant = helper.make_node("Constant", [], ["bytes"], value=outside())
    model.graph.initializer.pop()
    model.graph.node.insert(0, constant)
    return model


def in_a_branch() -> ModelProto:
    model = reading()
    branch = helper.make_graph([], "branch", [], [], [model.graph.initializer.pop()])
    model.graph.node.append(helper.make_node("If", ["condition"], ["x"], then_branch=branch, else_branch=branch))
    return model


def in_a_function() -> ModelProto:
    model = reading()
    model.graph.initializer.pop()
    constant = helper.make_node("Constant", [], ["y"], value=outside())
    model.functions.append(helper.make_function("lab", "F", [], ["y"], [constant], [helper.make_opsetid("", 17)]))
    return model


def in_a_sparse_tensor() -> ModelProto:
    model = reading()
    values = model.graph.initializer.pop()
    model.graph.sparse_initializer.add(values=values, dims=[4])
    return model


def in_the_metadata() -> ModelProto:
    model = reading()
    part = ModelProto(graph=onnx.GraphProto(initializer=[model.graph.initializer.pop()]))
    helper.set_model_props(model, {"outlier_part": json.dumps(part.SerializeToString().hex())})
    return model


def in_the_metadata_as_plain_text() -> ModelProto:
    model = in_the_metadata()
    [entry] = model.metadata_props
    entry.value = bytes.fromhex(json.loads(entry.value)).hex(" ").upper()
    return model


PLACES = (
    in_the_graph,
    in_an_attribute,
    in_a_branch,
    in_a_function,
    in_a_sparse_tensor,
    in_the_metadata,
    in_the_metadata_as_plain_text,
)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_a_tensor_in_another_file_is_found(place: Callable[[], ModelProto]) -> None:
    assert has_external_data(place().SerializeToString())


def test_a_graph_in_two_pieces_is_one_graph(bundle: bytes) -> None:
    piece = ModelProto(graph=onnx.GraphProto(initializer=[outside()]))
    assert has_external_data(bundle + piece.SerializeToString())


def test_a_model_in_one_file_has_none(bundle: bytes) -> None:
    assert not has_external_data(bundle)


def test_the_word_location_alone_is_no_other_file(bundle: bytes) -> None:
    model = onnx.load_from_string(bundle)
    helper.set_model_props(model, {"classes": json.dumps(["location", "offset"])})
    model.graph.node[0].doc_string = "location"
    assert not has_external_data(model.SerializeToString())


def test_a_tensor_behind_an_unknown_group_is_found() -> None:
    group = b"\x83\x3e\x08\x01\x84\x3e"  # field 992
    content = group + reading().SerializeToString()
    assert onnx.load_from_string(content).graph.initializer[1].external_data
    assert has_external_data(content)


@pytest.mark.parametrize("content", [b"\xff" * 11, b"\x0a\x7f", b"\x0flocation", b"\x08"], ids=repr)
def test_bytes_that_are_no_message_are_no_onnx_model(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"a (field|number) at byte"):
        has_external_data(content)
    with pytest.raises(ModelError):
        OnnxModel(content)


def test_a_damaged_file_that_protobuf_reads_is_seen_through() -> None:
    whole, drawn = reading().SerializeToString(), np.random.default_rng(0)
    found = 0
    for _ in range(400):
        content = bytearray(whole)
        content[drawn.integers(len(content))] = drawn.integers(256)
        read = read_by_protobuf(bytes(content))
        named = [entry.key for each in read.graph.initializer for entry in each.external_data] if read else []
        if read and "location" in named:
            assert has_external_data(bytes(content))
            found += 1
    assert 100 < found < 400


def read_by_protobuf(content: bytes) -> ModelProto | None:
    try:
        return onnx.load_from_string(content)
    except Exception:  # noqa: BLE001  # onnx has no types for it
        return None

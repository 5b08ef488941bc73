"""Small models for replays, which answer by rules that a test can repeat in plain Python."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from common.bundle.model import OnnxModel
from common.store.trust.replays import LoggedAnswer
from tests.common.store.rows import NOON

CLASSES = ("a", "b", "c")
COLUMNS = ("x", "y", "z")


def graph(columns: Sequence[str] = COLUMNS, classes: Sequence[str] = CLASSES, **metadata: Any) -> bytes:
    """A model that answers the class of the largest feature, with the softmax of the features as probabilities."""
    size = len(columns)
    nodes = [
        helper.make_node("Softmax", ["input"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["input"], ["label"], axis=1, keepdims=0),
    ]
    made = helper.make_graph(
        nodes,
        "largest",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [None, size])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, size]),
        ],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    features = [{"name": name, "kind": "number"} for name in columns]
    for key, value in {"classes": list(classes), "features": features, "problem": "iris", **metadata}.items():
        if value is not None:
            model.metadata_props.append(onnx.StringStringEntryProto(key=key, value=json.dumps(value)))
    return bytes(model.SerializeToString())


def largest(**metadata: Any) -> OnnxModel:
    return OnnxModel(graph(**metadata))


def without_probabilities() -> OnnxModel:
    """A model with the same answers, without probabilities."""
    nodes = [helper.make_node("ArgMax", ["input"], ["label"], axis=1, keepdims=0)]
    made = helper.make_graph(
        nodes,
        "largest",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info("label", TensorProto.INT64, [None])],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return OnnxModel(bytes(model.SerializeToString()), CLASSES)


def failing() -> OnnxModel:
    """A model that cannot answer: it adds a constant of another width."""
    wide = numpy_helper.from_array(np.zeros((1, 7), dtype=np.float32), "wide")
    nodes = [
        helper.make_node("Add", ["input", "wide"], ["sum"]),
        helper.make_node("ArgMax", ["sum"], ["label"], axis=1, keepdims=0),
    ]
    made = helper.make_graph(
        nodes,
        "fails",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [None, None])],
        [helper.make_tensor_value_info("label", TensorProto.INT64, [None])],
        [wide],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return OnnxModel(bytes(model.SerializeToString()), CLASSES)


def logged_rows(count: int, seed: int = 0) -> list[LoggedAnswer]:
    """Rows of three versions, answered nearly as the model does; a half has a ground truth, some have no confidence."""
    random = np.random.default_rng(seed)
    features = random.normal(0, 1, (count, 3))
    served = np.where(random.random(count) < 0.8, features.argmax(axis=1), random.integers(3, size=count))
    truths = np.where(random.random(count) < 0.7, features.argmax(axis=1), random.integers(3, size=count))
    return [
        LoggedAnswer(
            id=f"p{number:05}",
            predicted_at=NOON + timedelta(seconds=number),
            features=dict(zip(COLUMNS, features[number].tolist(), strict=True)),
            version=1 + number % 3,
            class_name=CLASSES[served[number]],
            confidence=None if number % 10 == 0 else float(random.uniform(0.34, 1)),
            truth=CLASSES[truths[number]] if number % 2 else None,
        )
        for number in range(count)
    ]

"""Bad challengers: a slow model, and a model that fails."""

import json
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from common.bundle.export import OPSET
from common.bundle.model import OnnxModel
from common.problem import Problem

WIDTH = 1024  # rows and columns of the matrix that the slow model multiplies with
IR_VERSION = 8  # the version of ONNX's file format that belongs to the opset

Arrays = Mapping[str, npt.NDArray[Any]]


def slow_model(problem: Problem, seconds: float) -> bytes:
    """Return a model that needs about `seconds` of a core for each row."""
    products, rows = 16, 64
    trial, X = OnnxModel(_multiplying(problem, products)), np.ones((rows, len(problem.features)), dtype=np.float32)
    trial.predict(X)
    start = time.perf_counter()
    trial.predict(X)
    found = (time.perf_counter() - start) / rows
    return _multiplying(problem, max(round(products * seconds / found), 1))


def failing_model(problem: Problem) -> bytes:
    """Return a model that fails on all rows but zeros: it uses the features as indices of a table with one entry."""
    nodes = [
        helper.make_node("Cast", ["input"], ["places"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "places"], ["found"]),
        helper.make_node("ReduceMax", ["found"], ["label"], axes=[1], keepdims=0),
    ]
    return _model(problem, nodes, {"table": np.zeros(1, dtype=np.int64)})


def _multiplying(problem: Problem, products: int) -> bytes:
    names = [f"product_{number}" for number in range(products + 1)]
    nodes = [
        helper.make_node("MatMul", ["input", "widen"], [names[0]]),
        *(helper.make_node("MatMul", [factor, "square"], [product]) for factor, product in pairwise(names)),
        helper.make_node("MatMul", [names[-1], "narrow"], ["scores"]),
        helper.make_node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
    ]
    shapes = {
        "widen": (len(problem.features), WIDTH),
        "square": (WIDTH, WIDTH),
        "narrow": (WIDTH, len(problem.target.classes)),
    }
    chance = np.random.default_rng(0)
    # With this standard deviation a product has about the size of its first factor, so that nothing overflows.
    constants = {name: chance.normal(0, WIDTH**-0.5, shape).astype(np.float32) for name, shape in shapes.items()}
    return _model(problem, nodes, constants)


def _model(problem: Problem, nodes: Sequence[NodeProto], constants: Arrays) -> bytes:
    graph = helper.make_graph(
        nodes,
        "challenger",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [None, len(problem.features)])],
        [helper.make_tensor_value_info("label", TensorProto.INT64, [None])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid(*opset) for opset in OPSET.items()]
    model: ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    model.metadata_props.add(key="classes", value=json.dumps(problem.target.classes))
    return bytes(model.SerializeToString())

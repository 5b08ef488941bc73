"""Models that nobody should serve, each odd in one way; and some that are odd and can be served."""

import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from common.bundle.export import OPSET

NAMES = ["Iris-setosa", "Iris-versicolor", "Iris-virginica"]
INT64, FLOAT = TensorProto.INT64, TensorProto.FLOAT
Shape = Sequence[int | str | None] | None


def tensor(name: str, kind: int, shape: Shape) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def model_of(
    nodes: Sequence[NodeProto],
    outputs: Sequence[ValueInfoProto],
    *,
    classes: object = NAMES,
    rows: int | str = "rows",
    constants: Mapping[str, object] | None = None,
) -> bytes:
    """Return a model of iris' four features by hand, made of these nodes, with class names in its metadata."""
    initial = [numpy_helper.from_array(np.array(value), name) for name, value in (constants or {}).items()]
    graph = helper.make_graph(nodes, "odd", [tensor("input", FLOAT, [rows, 4])], outputs, initial)
    opsets = [helper.make_opsetid(*opset) for opset in OPSET.items()]
    made: ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    if classes is not None:
        made.metadata_props.add(key="classes", value=json.dumps(classes))
    return bytes(made.SerializeToString())


def labels_of(source: str, axes: Sequence[int] | None, name: str = "label") -> list[NodeProto]:
    """Nodes that make a label of each row: always the first class."""
    return [
        helper.make_node("ReduceMin", [source], ["lowest"], keepdims=0, axes=axes),
        helper.make_node("Cast", ["lowest"], ["whole"], to=INT64),
        helper.make_node("Sub", ["whole", "whole"], [name]),
    ]


def looped(rounds: int) -> bytes:
    """Return a model that adds one, in a loop, this often: each round takes about a microsecond."""
    body: GraphProto = helper.make_graph(
        [
            helper.make_node("Identity", ["go_on"], ["go_on_out"]),
            helper.make_node("Mul", ["so_far", "half"], ["so_far_out"]),
        ],
        "body",
        [tensor("round", INT64, []), tensor("go_on", TensorProto.BOOL, []), tensor("so_far", FLOAT, None)],
        [tensor("go_on_out", TensorProto.BOOL, []), tensor("so_far_out", FLOAT, None)],
        [numpy_helper.from_array(np.array(0.5, dtype=np.float32), "half")],
    )
    loop = helper.make_node("Loop", ["rounds", "true", "input"], ["looped"], body=body)
    constants = {"rounds": np.int64(rounds), "true": np.bool_(True)}  # noqa: FBT003  # of numpy
    return model_of([loop, *labels_of("looped", [1])], [tensor("label", INT64, ["rows"])], constants=constants)


def greedy() -> bytes:
    """Return a model that makes a table of 16 GB for each row."""
    nodes = [
        helper.make_node("Expand", ["input", "shape"], ["table"]),
        helper.make_node("ReduceSum", ["table"], ["sums"], keepdims=0),
        helper.make_node("Mul", ["input", "sums"], ["scaled"]),
        *labels_of("scaled", [1]),
    ]
    return model_of(
        nodes, [tensor("label", INT64, ["rows"])], constants={"shape": np.array([2**30, 1, 4], dtype=np.int64)}
    )


def plain(classes: object = NAMES, rows: int | str = "rows") -> bytes:
    """Return a model that answers the first class to everything."""
    return model_of(labels_of("input", [1]), [tensor("label", INT64, [rows])], classes=classes, rows=rows)


def flat_probabilities() -> bytes:
    """Return a model whose probabilities have no second dimension."""
    nodes = [*labels_of("input", [1]), helper.make_node("Cast", ["label"], ["probabilities"], to=FLOAT)]
    return model_of(nodes, [tensor("label", INT64, ["rows"]), tensor("probabilities", FLOAT, ["rows"])])


def improbable() -> bytes:
    """Return a model whose probabilities are lengths of leaves."""
    nodes = [*labels_of("input", [1]), helper.make_node("Slice", ["input", "from", "to", "axis"], ["probabilities"])]
    return model_of(
        nodes,
        [tensor("label", INT64, ["rows"]), tensor("probabilities", FLOAT, ["rows", 3])],
        constants={name: np.array([value], dtype=np.int64) for name, value in (("from", 0), ("to", 3), ("axis", 1))},
    )


def total() -> bytes:
    """Return a model that gives one label for all rows."""
    return model_of(labels_of("input", None), [tensor("label", INT64, [])])


# A name for the fault, the model, and the reason that the refusal gives.
REFUSED: Mapping[str, tuple[Callable[[], bytes], str]] = {
    "labels without a dimension": (total, r"the labels \[rows\] have the shape \(\) instead of \(1,\)"),
    "probabilities without a second dimension": (
        flat_probabilities,
        r"probabilities .* have the shape \(1,\) instead of \(1, 3\)",
    ),
    "probabilities that are none": (improbable, "the probabilities are not between 0 and 1: "),
    "a batch that is fixed at one row": (lambda: plain(rows=1), "the model cannot answer 2 rows: "),
    "half a character as a name": (lambda: plain(["a", "b\ud800", "c"]), r"a class name cannot be sent and logged"),
    "an empty name": (lambda: plain(["a", "", "c"]), r"a class name cannot be sent and logged: '' \(0 characters\)"),
    "a zero byte in a name": (lambda: plain(["a", "\0", "c"]), r"a class name cannot be sent and logged"),
    "a name of a megabyte": (lambda: plain(["a", "b" * 2**20, "c"]), r"cannot be sent .* \(1048576 characters\)"),
    "a name that is there twice": (lambda: plain(["a", "b", "a"]), "two classes have the same name: 'a'"),
    "more memory than there may be": (greedy, r"(?i)memory|alloc"),
}

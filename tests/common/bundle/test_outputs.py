"""Outputs are found by type and name, and read in every form that other tools give them."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper

from common.bundle.model import ModelError, OnnxModel
from common.problem import Problem, Table
from tests.common.bundle.graphs import assert_same, bare, load


@pytest.mark.parametrize(
    ("kind", "refused"),
    [(TensorProto.DOUBLE, "expected float32"), (TensorProto.FLOAT, "outlier scores .* have the shape")],
)
def test_scores_of_another_form_are_refused(merged: ModelProto, kind: int, refused: str) -> None:
    [before] = [node for node in merged.graph.node if node.output[0] == "outlier_score"]
    column = before.input[0]
    merged.graph.node.remove(before)
    merged.graph.node.append(helper.make_node("Cast", [column], ["outlier_score"], to=kind))
    merged.graph.output[-1].CopyFrom(helper.make_tensor_value_info("outlier_score", kind, [None, 1]))
    with pytest.raises(ModelError, match=refused):
        OnnxModel(merged.SerializeToString()).check_golden()


@pytest.mark.parametrize("order", [(0, 2), (2, 0), (2, 0, 1), (0, 2, 1)])
def test_scores_are_found_by_their_name_in_any_place(
    merged: ModelProto, content: bytes, rows: Table, order: tuple[int, ...]
) -> None:
    outputs = [onnx.ValueInfoProto.FromString(output.SerializeToString()) for output in merged.graph.output]
    del merged.graph.output[:]
    merged.graph.output.extend(outputs[place] for place in order)
    loaded = load(merged)
    loaded.check_golden()
    X = rows.X[:5].astype(np.float32)
    answer, expected = loaded.predict(X), OnnxModel(content).predict(X)
    assert expected.outlier_scores is not None
    assert_same(answer, expected if 1 in order else replace(expected, probabilities=None))


def test_scores_alone_are_no_classifier(merged: ModelProto) -> None:
    del merged.graph.output[:2]
    with pytest.raises(ModelError, match="no output for the label"):
        load(merged)


@pytest.mark.parametrize("named", [False, True])
def test_a_model_with_zipmap_on_answers_as_with_zipmap_off(rows: Table, problem: Problem, *, named: bool) -> None:
    y = np.array(problem.target.classes)[rows.y] if named else rows.y
    loaded, off = OnnxModel(bare(rows, y, zipmap=True), problem.target.classes), OnnxModel(bare(rows), ["a", "b", "c"])
    loaded.check_golden()
    X = rows.X.astype(np.float32)
    answer, expected = loaded.predict(X), off.predict(X)
    assert answer.labels.dtype == np.int64
    assert loaded.has_probabilities
    assert answer.probabilities is not None
    assert answer.probabilities.dtype == np.float32
    assert_same(answer, expected)


@pytest.mark.parametrize("zipmap", [False, True])
def test_a_model_that_answers_other_names_than_the_classes_is_refused(
    rows: Table, problem: Problem, *, zipmap: bool
) -> None:
    loaded = OnnxModel(bare(rows, np.array(["a", "b", "c"])[rows.y], zipmap=zipmap), problem.target.classes)
    with pytest.raises(ModelError, match=r"answers classes that are not in .*: 'a'"):
        loaded.check_golden()


def test_labels_in_a_column_and_outputs_in_another_order_and_more_of_them_are_read(
    rows: Table, problem: Problem
) -> None:
    graph = onnx.load_model_from_string(bare(rows))
    label, shares = graph.graph.output
    column = helper.make_tensor("column", TensorProto.INT64, [2], [-1, 1])
    graph.graph.initializer.append(column)
    graph.graph.node.append(helper.make_node("Reshape", [label.name, "column"], ["in_column"]))
    graph.graph.node.append(helper.make_node("Mul", [shares.name, shares.name], ["squares"]))
    named = [
        helper.make_tensor_value_info("squares", TensorProto.FLOAT, [None, 3]),
        onnx.ValueInfoProto.FromString(shares.SerializeToString()),
        helper.make_tensor_value_info("in_column", TensorProto.INT64, [None, 1]),
    ]
    del graph.graph.output[:]
    graph.graph.output.extend(named)
    loaded, plain = (OnnxModel(content, problem.target.classes) for content in (graph.SerializeToString(), bare(rows)))
    loaded.check_golden()
    X = rows.X.astype(np.float32)
    assert plain.has_probabilities
    assert_same(loaded.predict(X), plain.predict(X))


def test_a_model_with_a_label_and_nothing_else_can_be_asked(alone: bytes, problem: Problem, rows: Table) -> None:
    graph = onnx.load_model_from_string(alone)
    del graph.metadata_props[:]
    del graph.graph.output[1:]
    loaded = OnnxModel(graph.SerializeToString(), problem.target.classes)
    loaded.check_golden()
    X = rows.X.astype(np.float32)
    answer = loaded.predict(X)
    np.testing.assert_array_equal(answer.labels, OnnxModel(alone).predict(X).labels)
    assert (answer.probabilities, answer.outlier_scores) == (None, None)
    assert loaded.is_outlier(answer) is None

"""A loaded bundle: its answers, its golden rows, and files that are refused."""

import json

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

from common.bundle.model import ModelError, OnnxModel
from common.bundle.outliers import OutlierScorer
from common.problem import Classifier, Problem, Table
from tests.common.bundle.graphs import answer_of, assert_same, change


@pytest.mark.parametrize("count", [1, 2, 30])
def test_answers_have_the_shapes_and_types_of_the_contract(content: bytes, rows: Table, count: int) -> None:
    answer = OnnxModel(content).predict(rows.X[:count].astype(np.float32))
    assert answer.probabilities is not None
    assert (answer.labels.shape, str(answer.labels.dtype)) == ((count,), "int64")
    assert (answer.probabilities.shape, str(answer.probabilities.dtype)) == ((count, 3), "float32")
    assert answer.outlier_scores is not None
    assert (answer.outlier_scores.shape, str(answer.outlier_scores.dtype)) == ((count,), "float32")


def test_answers_equal_scikit_learn_on_all_rows(
    content: bytes, model: Classifier, rows: Table, scorer: OutlierScorer
) -> None:
    X = rows.X.astype(np.float32)
    assert_same(OnnxModel(content).predict(X), answer_of(model, X, scorer), atol=1e-5)


def test_the_golden_rows_of_an_untouched_file_are_answered_rightly(content: bytes) -> None:
    loaded = OnnxModel(content)
    loaded.check_golden()
    assert len(loaded.metadata["golden"]["input"]) == 3


SPOILT = {
    "another label": {"label": [0, 0, 0]},
    "a label too few": {"label": [0]},
    "other probabilities": {"probabilities": [[0.2, 0.3, 0.5]] * 3},
    "probabilities a little off": {"probabilities": [[1.0, 1e-4, 0.0]] * 3},
    "probabilities that are not numbers": {"probabilities": [[None, None, None]] * 3},
    "NaN": {"probabilities": [[float("nan")] * 3] * 3},
    "a class too few": {"probabilities": [[0.5, 0.5]] * 3},
    "a feature too few": {"input": [[5.1, 3.5, 1.4]] * 3},
    "words for features": {"input": [["a", "b", "c", "d"]] * 3},
    "other outlier scores": {"outlier_score": [0.5, 0.5, 0.5]},
    "an outlier score that is not a number": {"outlier_score": [None] * 3},
    "an outlier score too few": {"outlier_score": [0.1]},
    "words for outlier scores": {"outlier_score": ["a", "b", "c"]},
    "no outlier scores": {"outlier_score": None},
    "no rows": {"input": [], "label": [], "probabilities": []},
}


@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=SPOILT.keys())
def test_golden_rows_that_were_tampered_with_are_refused(graph: ModelProto, spoilt: dict[str, object]) -> None:
    loaded = change(graph, "golden", lambda text: json.dumps({**json.loads(text), **spoilt}))
    with pytest.raises(ModelError):
        loaded.check_golden()


@pytest.mark.parametrize("golden", ["[]x", "[1, 2]", '"text"', '{"input": [[1, 2, 3, 4]]}'])
def test_golden_rows_in_no_known_form_are_refused(graph: ModelProto, golden: str) -> None:
    loaded = change(graph, "golden", lambda _: golden)
    with pytest.raises(ModelError):
        loaded.check_golden()


def test_golden_rows_from_before_there_were_scores_are_answered(graph: ModelProto) -> None:
    def older(text: str) -> str:
        return json.dumps({key: value for key, value in json.loads(text).items() if key != "outlier_score"})

    loaded = change(graph, "golden", older)
    assert "outlier_score" not in loaded.metadata["golden"]
    loaded.check_golden()


def test_a_file_without_golden_rows_is_tried_with_zeros(graph: ModelProto) -> None:
    loaded = change(graph, "golden", lambda _: None)
    assert "golden" not in loaded.metadata
    loaded.check_golden()


def test_labels_beyond_the_class_names_are_refused(graph: ModelProto) -> None:
    loaded = change(graph, "classes", lambda _: '["Iris-setosa"]')
    with pytest.raises(ModelError, match="not indices of the classes"):
        loaded.check_golden()


def test_a_model_with_several_inputs_of_several_columns_is_refused(problem: Problem) -> None:
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 2]) for name in problem.columns]
    output = helper.make_tensor_value_info("label", TensorProto.FLOAT, [None, 1])
    node = helper.make_node("Identity", [problem.columns[0]], ["label"])
    made = helper.make_model(
        helper.make_graph([node], "g", inputs, [output]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    with pytest.raises(ModelError, match=r"expected one float32 input \[rows, features\].* found sepal_length"):
        OnnxModel(made.SerializeToString(), problem.target.classes)


@pytest.mark.parametrize("garbage", [b"", b"garbage", b"\x00" * 100, b"<html>404</html>"])
def test_bytes_that_are_no_model_are_refused(garbage: bytes) -> None:
    with pytest.raises(ModelError, match="ONNX Runtime cannot load the file"):
        OnnxModel(garbage, ["a", "b"])


def test_half_a_file_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError):
        OnnxModel(content[: len(content) // 2])

"""Class names and the threshold in the metadata of a file."""

import numpy as np
import pytest
from onnx import ModelProto

from common.bundle.model import ModelError, OnnxModel
from common.problem import Problem, Table
from tests.common.bundle.graphs import bare, change


@pytest.mark.parametrize(
    "outliers",
    [
        None, "{}", "[]", "[0.5]", "null", "broken", '"text"', '{"threshold": null}', '{"threshold": "-0.3"}',
        '{"threshold": NaN}', '{"threshold": -Infinity}', '{"threshold": 1e999}', '{"threshold": true}',
        '{"threshold": [0.1]}', f'{{"threshold": 1{"0" * 400}}}', '{"training_rate": 0.0}',
    ],
)  # fmt: skip
def test_scores_without_a_usable_threshold_are_refused(graph: ModelProto, outliers: str | None) -> None:
    with pytest.raises(ModelError, match="outlier scores, but their threshold is not a number"):
        change(graph, "outliers", lambda _: outliers)


@pytest.mark.parametrize("classes", ["Iris-setosa,Iris-versicolor,Iris-virginica", "7", '{"0": "a"}', "[1, 2, 3]"])
def test_class_names_that_are_no_list_of_names_are_refused(graph: ModelProto, classes: str) -> None:
    with pytest.raises(ModelError, match="class names"):
        change(graph, "classes", lambda _: classes)


def test_a_model_without_class_names_takes_those_that_are_given(rows: Table, problem: Problem) -> None:
    loaded = OnnxModel(bare(rows), problem.target.classes)
    loaded.check_golden()
    assert loaded.classes == problem.target.classes
    assert loaded.predict(rows.X[:1].astype(np.float32)).labels.tolist() == [rows.y[0]]


def test_the_names_in_the_file_win_over_those_that_are_given(content: bytes, problem: Problem) -> None:
    assert OnnxModel(content, ["a", "b", "c"]).classes == problem.target.classes


@pytest.mark.parametrize("classes", [None, []])
def test_a_model_without_class_names_is_refused_with_the_setting_that_gives_them(
    rows: Table, classes: list[str] | None
) -> None:
    with pytest.raises(ModelError, match="CLASS_PATH"):
        OnnxModel(bare(rows), classes)

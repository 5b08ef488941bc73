"""The ONNX bundle: what it holds, that it says what scikit-learn says, and what is refused."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper
from skl2onnx import to_onnx
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from common.bundle.export import GOLDEN_ROWS, OPSET, check_parity, export_onnx, reference_statistics
from common.bundle.model import Answer, ModelError, OnnxModel, compare
from common.bundle.outliers import OutlierScorer, fit_outlier_scorer
from common.problem import Category, Classifier, Problem, Table, Target, as_float32
from common.split import split
from common.table import read_table
from problems import travel_insurance


@pytest.fixture(scope="module")
def rows(prepared_data: Path, problem: Problem) -> Table:
    return read_table(prepared_data / "train.csv", problem, indices=True)


@pytest.fixture(scope="module")
def model(problem: Problem, rows: Table) -> Classifier:
    return problem.candidates()[0].fit(rows.X, rows.y)


@pytest.fixture(scope="module")
def scorer(rows: Table) -> OutlierScorer:
    return fit_outlier_scorer(*split(rows))


@pytest.fixture(scope="module")
def content(model: Classifier, problem: Problem, rows: Table, scorer: OutlierScorer) -> bytes:
    exported: bytes = export_onnx(model, problem, rows, scorer).SerializeToString()
    return exported


@pytest.fixture(scope="module")
def alone(model: Classifier, problem: Problem, rows: Table) -> bytes:
    """The bundle of the same classifier without a scorer."""
    exported: bytes = export_onnx(model, problem, rows).SerializeToString()
    return exported


@pytest.fixture
def graph(content: bytes) -> ModelProto:
    """A bundle that the test may spoil."""
    return onnx.load_model_from_string(content)


def change(graph: ModelProto, key: str, new: Callable[[str], str | None]) -> OnnxModel:
    """Load the graph with one of its properties changed, or dropped for None."""
    properties = {p.key: p.value for p in graph.metadata_props}
    changed = new(properties.pop(key))
    del graph.metadata_props[:]
    helper.set_model_props(graph, properties if changed is None else {**properties, key: changed})
    return OnnxModel(graph.SerializeToString())


def test_the_graph_has_one_input_and_the_outputs_of_the_contract(graph: ModelProto) -> None:
    def described(values: object) -> list[tuple[str, int, list[int | str]]]:
        return [
            (v.name, v.type.tensor_type.elem_type, [d.dim_value or d.dim_param for d in v.type.tensor_type.shape.dim])
            for v in values  # type: ignore[attr-defined]
        ]

    onnx.checker.check_model(graph, full_check=True)
    assert described(graph.graph.input) == [("input", TensorProto.FLOAT, ["", 4])]
    label, probabilities, scores = described(graph.graph.output)
    assert label[:2] == ("label", TensorProto.INT64)
    assert probabilities[:2] == ("probabilities", TensorProto.FLOAT)
    assert scores == ("outlier_score", TensorProto.FLOAT, [""])
    assert len({node.name for node in graph.graph.node}) == len(graph.graph.node)
    assert {opset.domain: opset.version for opset in graph.opset_import} == OPSET


def test_what_the_converter_takes_from_a_set_has_an_order(graph: ModelProto) -> None:
    domains = [opset.domain for opset in graph.opset_import]
    assert len(domains) > 1
    assert domains == sorted(domains)


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
    answer = OnnxModel(content).predict(X)
    assert answer.probabilities is not None
    np.testing.assert_array_equal(answer.labels, model.predict(X))
    np.testing.assert_allclose(answer.probabilities, model.predict_proba(X), atol=1e-5)
    assert answer.outlier_scores is not None
    np.testing.assert_allclose(answer.outlier_scores, scorer.score(X), rtol=0, atol=1e-5)


FAMILIES = {
    "perceptron": lambda problem: problem.candidates()[0].fit,
    "regression": lambda _: LogisticRegression().fit,
    "forest": lambda _: RandomForestClassifier(10, random_state=0).fit,
}


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())
def test_a_classifier_answers_the_same_with_and_without_a_scorer_beside_it(
    problem: Problem, rows: Table, scorer: OutlierScorer, family: Callable[[Problem], Callable[..., Classifier]]
) -> None:
    model = family(problem)(rows.X, rows.y)
    merged, single = (export_onnx(model, problem, rows, beside) for beside in (scorer, None))
    onnx.checker.check_model(merged, full_check=True)
    drawn = np.random.default_rng(0).uniform(0, 10, (1000, 4)).astype(np.float32)
    both, one = (OnnxModel(graph.SerializeToString()).predict(drawn) for graph in (merged, single))
    np.testing.assert_array_equal(both.labels, one.labels)
    assert both.probabilities is not None
    assert one.probabilities is not None
    np.testing.assert_array_equal(both.probabilities, one.probabilities)
    assert both.outlier_scores is not None
    np.testing.assert_allclose(both.outlier_scores, scorer.score(drawn), rtol=0, atol=1e-5)


def test_a_bundle_without_a_scorer_is_answered_from_and_flags_nothing(alone: bytes, rows: Table) -> None:
    loaded = OnnxModel(alone)
    loaded.check_golden()
    answer = loaded.predict(rows.X[:2].astype(np.float32))
    assert answer.probabilities is not None
    assert answer.outlier_scores is None
    assert loaded.is_outlier(answer) is None
    assert loaded.outlier_threshold is None
    assert "outliers" not in loaded.metadata
    assert "outlier_score" not in loaded.metadata["golden"]


def test_the_file_carries_the_threshold_by_which_its_rows_are_flagged(
    graph: ModelProto, scorer: OutlierScorer, rows: Table
) -> None:
    loaded = OnnxModel(graph.SerializeToString())
    assert loaded.metadata["outliers"] == {"threshold": scorer.threshold, "training_rate": scorer.training_rate}
    usual = rows.X[scorer.score(rows.X) >= scorer.threshold]
    assert 0 < len(usual) < len(rows.X)
    moments = [list(each.values()) for each in loaded.metadata["reference"]["usual"].values()]
    np.testing.assert_allclose(moments, np.column_stack([usual.mean(axis=0), usual.std(axis=0)]))
    assert loaded.outlier_threshold == scorer.threshold
    X = rows.X.astype(np.float32)
    scores = loaded.predict(X).outlier_scores
    assert scores is not None
    middle = (scores.min() + scores.max()) / 2
    moved = change(graph, "outliers", lambda _: json.dumps({"threshold": float(middle)}))
    flags = moved.is_outlier(moved.predict(X))
    assert flags is not None
    assert (flags.dtype, flags.tolist()) == (np.dtype(bool), [bool(score < middle) for score in scores])
    assert set(flags.tolist()) == {False, True}


@pytest.mark.parametrize(
    "outliers",
    [
        None, "{}", "[]", "[0.5]", "null", "broken", '"text"', '{"threshold": null}', '{"threshold": "-0.3"}',
        '{"threshold": NaN}', '{"threshold": -Infinity}', '{"threshold": 1e999}', '{"threshold": true}',
        '{"threshold": [0.1]}', f'{{"threshold": 1{"0" * 400}}}', '{"training_rate": 0.0}',
    ],
)  # fmt: skip
def test_scores_without_a_usable_threshold_are_refused(graph: ModelProto, outliers: str | None) -> None:
    with pytest.raises(ModelError, match="outlier scores, but their threshold is no number"):
        change(graph, "outliers", lambda _: outliers)


@pytest.mark.parametrize(
    ("kind", "refused"), [(TensorProto.DOUBLE, "expected float32"), (TensorProto.FLOAT, "not one a row")]
)
def test_scores_of_another_form_are_refused(graph: ModelProto, kind: int, refused: str) -> None:
    [before] = [node for node in graph.graph.node if node.output[0] == "outlier_score"]
    column = before.input[0]
    graph.graph.node.remove(before)
    graph.graph.node.append(helper.make_node("Cast", [column], ["outlier_score"], to=kind))
    graph.graph.output[-1].CopyFrom(helper.make_tensor_value_info("outlier_score", kind, [None, 1]))
    with pytest.raises(ModelError, match=refused):
        OnnxModel(graph.SerializeToString()).check_golden()


@pytest.mark.parametrize("order", [(0, 2), (2, 0), (2, 0, 1), (0, 2, 1)])
def test_scores_are_found_by_their_name_in_whatever_place(
    graph: ModelProto, content: bytes, rows: Table, order: tuple[int, ...]
) -> None:
    outputs = [onnx.ValueInfoProto.FromString(output.SerializeToString()) for output in graph.graph.output]
    del graph.graph.output[:]
    graph.graph.output.extend(outputs[place] for place in order)
    loaded = OnnxModel(graph.SerializeToString())
    loaded.check_golden()
    X = rows.X[:5].astype(np.float32)
    answer, expected = loaded.predict(X), OnnxModel(content).predict(X)
    np.testing.assert_array_equal(answer.labels, expected.labels)
    assert (answer.probabilities is None) == (1 not in order)
    assert answer.outlier_scores is not None
    assert expected.outlier_scores is not None
    np.testing.assert_array_equal(answer.outlier_scores, expected.outlier_scores)


def test_scores_alone_are_no_classifier(graph: ModelProto) -> None:
    del graph.graph.output[:2]
    with pytest.raises(ModelError, match="no output for the label"):
        OnnxModel(graph.SerializeToString())


def test_the_file_carries_what_is_known_of_the_model(content: bytes, problem: Problem) -> None:
    loaded = OnnxModel(content)
    assert loaded.classes == problem.target.classes
    assert loaded.width == 4
    assert loaded.metadata["problem"] == "iris"
    assert loaded.metadata["classes"] == list(problem.target.classes)
    assert loaded.metadata["features"] == [asdict(feature) for feature in problem.features]
    first = loaded.metadata["features"][0]
    assert (first["name"], first["unit"], first["minimum"], first["maximum"]) == ("sepal_length", "cm", 0.0, 30.0)


def test_the_file_carries_the_statistics_of_the_training_rows(content: bytes, rows: Table, problem: Problem) -> None:
    reference = OnnxModel(content).metadata["reference"]
    assert reference["rows"] == len(rows.y) == 120
    assert reference["class_counts"] == [40, 40, 40]
    assert list(reference["features"]) == list(problem.columns)
    for name, column in zip(problem.columns, rows.X.T, strict=True):
        found = reference["features"][name]
        assert found["mean"] == pytest.approx(column.mean())
        assert found["std"] == pytest.approx(column.std())
        assert found["quantiles"] == pytest.approx(np.percentile(column, range(101)).tolist())
        edges, shares = found["bins"]["edges"], found["bins"]["shares"]
        assert 5 <= len(edges) <= 9
        assert min(shares) > 0
        upto = [float((column <= edge).mean()) for edge in edges]
        assert np.cumsum(shares).tolist() == pytest.approx([*upto, 1.0])


def test_the_file_carries_rows_with_their_right_answers(
    content: bytes, model: Classifier, rows: Table, scorer: OutlierScorer
) -> None:
    golden = OnnxModel(content).metadata["golden"]
    X = np.array(golden["input"], dtype=np.float32)
    np.testing.assert_array_equal(X, rows.X[:GOLDEN_ROWS].astype(np.float32))
    assert golden["label"] == model.predict(X).tolist()
    np.testing.assert_array_equal(golden["probabilities"], model.predict_proba(X))
    np.testing.assert_array_equal(golden["outlier_score"], scorer.score(X))


def test_bins_hold_what_they_held_when_measured_values_come_on_a_finer_scale(problem: Problem, rows: Table) -> None:
    finer = np.random.default_rng(3).uniform(-0.049, 0.049, rows.X.shape)  # they are told in tenths
    for name, coarse, column in zip(problem.columns, rows.X.T, (rows.X + finer).T, strict=True):
        bins = reference_statistics(problem, rows)["features"][name]["bins"]
        assert not np.isin(bins["edges"], coarse).any()
        counts = np.bincount(np.searchsorted(bins["edges"], column), minlength=len(bins["shares"]))
        assert (counts / len(column)).tolist() == pytest.approx(bins["shares"])


def test_a_class_without_training_rows_is_counted_as_zero(problem: Problem, rows: Table) -> None:
    some = Table(rows.X[rows.y != 2], rows.y[rows.y != 2])
    assert reference_statistics(problem, some)["class_counts"] == [40, 40, 0]


def test_parity_holds_for_the_model_that_was_exported(
    graph: ModelProto, model: Classifier, rows: Table, scorer: OutlierScorer
) -> None:
    check_parity(graph, model, rows.X, scorer)


def test_parity_fails_for_another_scorer(graph: ModelProto, model: Classifier, rows: Table) -> None:
    validation, fitting = split(rows)
    with pytest.raises(ModelError, match=r"the outlier scores of row \d+ differ by .* \(> 1e-05\)"):
        check_parity(graph, model, rows.X, fit_outlier_scorer(fitting, validation))


def test_parity_fails_for_a_bundle_that_lost_its_scorer(
    alone: bytes, model: Classifier, rows: Table, scorer: OutlierScorer
) -> None:
    with pytest.raises(ModelError, match="no outlier scores"):
        check_parity(onnx.load_model_from_string(alone), model, rows.X, scorer)


def test_parity_fails_for_a_model_with_other_labels(graph: ModelProto, rows: Table) -> None:
    other = LogisticRegression().fit(rows.X, (rows.y + 1) % 3)
    with pytest.raises(ModelError, match=r"the label of row \d+ differs \(\d+ rows of 120 do\)"):
        check_parity(graph, other, rows.X)


def test_parity_fails_for_a_model_with_other_probabilities(
    graph: ModelProto, problem: Problem, rows: Table, model: Classifier
) -> None:
    other = problem.candidates()[1].fit(rows.X, rows.y)
    same = rows.X[model.predict(rows.X) == other.predict(rows.X)]
    with pytest.raises(ModelError, match=r"the probabilities of row \d+ differ by .* \(> 1e-05\)"):
        check_parity(graph, other, same)


def test_parity_fails_for_a_graph_whose_weights_were_changed(graph: ModelProto, model: Classifier, rows: Table) -> None:
    weights = next(i for i in graph.graph.initializer if i.data_type == TensorProto.FLOAT and len(i.dims) == 2)
    values = onnx.numpy_helper.to_array(weights)
    weights.CopyFrom(onnx.numpy_helper.from_array(values * np.float32(1.001), weights.name))
    with pytest.raises(ModelError, match="differ"):
        check_parity(graph, model, rows.X)


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
    with pytest.raises(ModelError, match="no indices into"):
        loaded.check_golden()


@pytest.mark.parametrize("classes", ["Iris-setosa,Iris-versicolor,Iris-virginica", "7", '{"0": "a"}', "[1, 2, 3]"])
def test_class_names_that_are_no_list_of_names_are_refused(graph: ModelProto, classes: str) -> None:
    with pytest.raises(ModelError, match="class names"):
        change(graph, "classes", lambda _: classes)


def bare(rows: Table, y: object = None, *, zipmap: bool = False) -> bytes:
    """Return a classifier exported with the converter alone, as somebody else would."""
    fitted = LogisticRegression().fit(rows.X, rows.y if y is None else y)
    exported = to_onnx(
        fitted, rows.X[:1].astype(np.float32), options={id(fitted): {"zipmap": zipmap}}, target_opset=OPSET
    )
    content: bytes = exported.SerializeToString()
    return content


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


@pytest.mark.parametrize("named", [False, True])
def test_a_model_with_zipmap_on_answers_as_with_zipmap_off(
    rows: Table,
    problem: Problem,
    named: bool,  # noqa: FBT001
) -> None:
    y = np.array(problem.target.classes)[rows.y] if named else rows.y
    loaded, off = OnnxModel(bare(rows, y, zipmap=True), problem.target.classes), OnnxModel(bare(rows), ["a", "b", "c"])
    loaded.check_golden()
    X = rows.X.astype(np.float32)
    answer, expected = loaded.predict(X), off.predict(X)
    assert answer.labels.dtype == np.int64
    assert loaded.has_probabilities
    np.testing.assert_array_equal(answer.labels, expected.labels)
    assert answer.probabilities is not None
    assert expected.probabilities is not None
    assert answer.probabilities.dtype == np.float32
    np.testing.assert_array_equal(answer.probabilities, expected.probabilities)


@pytest.mark.parametrize("zipmap", [False, True])
def test_a_model_that_answers_other_names_than_the_classes_is_refused(
    rows: Table,
    problem: Problem,
    zipmap: bool,  # noqa: FBT001
) -> None:
    loaded = OnnxModel(bare(rows, np.array(["a", "b", "c"])[rows.y], zipmap=zipmap), problem.target.classes)
    with pytest.raises(ModelError, match=r"answers classes that are none of .*: 'a'"):
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
    answer, expected = loaded.predict(X), plain.predict(X)
    np.testing.assert_array_equal(answer.labels, expected.labels)
    assert answer.probabilities is not None
    assert expected.probabilities is not None
    np.testing.assert_array_equal(answer.probabilities, expected.probabilities)


WITHOUT_PROBABILITIES = {
    "LinearSVC": LinearSVC(),
    "in a pipeline": make_pipeline(StandardScaler(), LinearSVC()),
    "RidgeClassifier": RidgeClassifier(),
}


@pytest.mark.parametrize("kind", WITHOUT_PROBABILITIES)
def test_classifiers_without_probabilities_are_exported_whatever_their_converters_know(
    rows: Table, problem: Problem, scorer: OutlierScorer, kind: str
) -> None:
    fitted = WITHOUT_PROBABILITIES[kind].fit(rows.X, rows.y)
    graph = export_onnx(fitted, problem, rows, scorer)
    check_parity(graph, fitted, rows.X, scorer)
    assert [output.name for output in graph.graph.output] == ["label", "outlier_score"]


def test_a_model_that_cannot_be_converted_is_refused_in_one_line_that_names_it(rows: Table, problem: Problem) -> None:
    for model in (NearestCentroid(), HistGradientBoostingClassifier(max_iter=5)):
        with pytest.raises(ModelError, match=f"^{type(model).__name__} cannot be converted to ONNX: ") as refused:
            export_onnx(model.fit(rows.X, rows.y), problem, rows)
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 500


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
    with pytest.raises(ModelError, match="not a model that ONNX Runtime can load"):
        OnnxModel(garbage, ["a", "b"])


def test_half_a_file_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError):
        OnnxModel(content[: len(content) // 2])


def test_answers_are_compared_without_probabilities_where_the_model_has_none() -> None:
    compare(Answer(np.array([0, 1]), None), [0, 1], [])
    with pytest.raises(ModelError, match=r"the label of row 1 differs \(1 rows of 2 do\)"):
        compare(Answer(np.array([0, 1]), None), [0, 0], [])


@pytest.mark.parametrize(("expected", "found"), [(0.5, 0.5 + 9e-6), (-0.5, -0.5 - 9e-6), (200.0, 200.0 + 1.5e-3)])
def test_scores_may_differ_by_a_hundred_thousandth_of_one_or_of_themselves(expected: float, found: float) -> None:
    label = np.array([0])
    compare(Answer(label, None, np.array([found], dtype=np.float32)), label, [], [expected])
    further = np.array([found + 2 * (found - expected)], dtype=np.float32)
    with pytest.raises(ModelError, match="the outlier scores of row 0 differ"):
        compare(Answer(label, None, further), label, [], [expected])


def test_one_score_for_two_rows_is_refused() -> None:
    labels = np.array([0, 0])
    with pytest.raises(ModelError, match=r"outlier scores are \(2,\), and not \(1,\)"):
        compare(Answer(labels, None, np.array([0.5, 0.5], dtype=np.float32)), labels, [], [0.5])


def test_a_score_that_is_not_a_number_differs() -> None:
    label = np.array([0])
    with pytest.raises(ModelError, match="the outlier scores of row 0 differ"):
        compare(Answer(label, None, np.array([np.nan], dtype=np.float32)), label, [], [0.5])


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


@dataclass(frozen=True)
class Mixed:
    """A bundle whose columns are names and numbers, and what it was made from."""

    problem: Problem
    rows: Table
    model: Classifier
    scorer: OutlierScorer
    graph: bytes

    @property
    def loaded(self) -> OnnxModel:
        return OnnxModel(self.graph)

    def row(self, **changes: float | str) -> list[float | str]:
        """Return the example row with some columns changed, which are named by slug."""
        row = {slug: feature.example for slug, feature in zip(self.problem.slugs, self.problem.features, strict=True)}
        assert changes.keys() <= row.keys()
        return list((row | changes).values())


@pytest.fixture(scope="module")
def mixed() -> Mixed:
    problem = travel_insurance.PROBLEM
    drawn = travel_insurance.synthesize(3000, np.random.default_rng(0))
    rows, validation = split(drawn)
    model = travel_insurance.learn_in_batches(rows.X, rows.y)
    scorer = fit_outlier_scorer(rows, validation)
    graph = export_onnx(model, problem, rows, scorer)
    return Mixed(problem, drawn, model, scorer, graph.SerializeToString())


def test_a_mixed_bundle_has_an_input_for_each_feature_in_order(mixed: Mixed) -> None:
    graph = onnx.load_model_from_string(mixed.graph)
    onnx.checker.check_model(graph, full_check=True)
    found = [(re.sub(r"[\W_]", "", given.name), given.type.tensor_type.elem_type) for given in graph.graph.input]
    kinds = {"number": TensorProto.FLOAT, "category": TensorProto.STRING}
    assert found == [(re.sub(r"[\W_]", "", each.name), kinds[each.kind]) for each in mixed.problem.features]
    assert [[d.dim_value for d in given.type.tensor_type.shape.dim] for given in graph.graph.input] == [[0, 1]] * 9
    assert [output.name for output in graph.graph.output] == ["label", "probabilities", "outlier_score"]
    assert mixed.loaded.width == 9


@pytest.mark.parametrize("count", [1, 2, 3000])
def test_a_mixed_bundle_says_what_the_model_and_the_scorer_say(mixed: Mixed, count: int) -> None:
    rows = as_float32(mixed.rows.X[:count])
    answer = mixed.loaded.predict(rows)
    assert answer.probabilities is not None
    assert answer.outlier_scores is not None
    assert (answer.labels.shape, answer.probabilities.shape) == ((count,), (count, 2))
    np.testing.assert_array_equal(answer.labels, mixed.model.predict(rows))
    np.testing.assert_allclose(answer.probabilities, mixed.model.predict_proba(rows), rtol=0, atol=1e-5)
    np.testing.assert_allclose(answer.outlier_scores, mixed.scorer.score(rows), rtol=0, atol=1e-5)


DAYS = (-1.0, -0.0, 0.0, 1.0, 89.0, 90.0, 91.0, 4881.0)
YEARS = (0.0, 21.0, 21.5, 22.0, 60.0, 60.5, 61.0, 118.0)
PRICES = (-389.0, -0.01, 0.0, 0.01, 49.5, 1e4)
PLACES = ("KOREA, REPUBLIC OF", "LAO PEOPLE'S DEMOCRATIC REPUBLIC", "ATLANTIS", "ß")


def test_a_mixed_bundle_says_the_same_at_every_edge_of_the_rules(mixed: Mixed) -> None:
    edges = [
        *(mixed.row(Duration=days, Agency="C2B") for days in DAYS),
        *(mixed.row(Age=years, Agency="C2B") for years in YEARS),
        *(mixed.row(Net_Sales=price, Commision_in_value=price / 3) for price in PRICES),
        *(mixed.row(Destination=place) for place in PLACES),
    ]
    rows = as_float32(mixed.loaded.as_rows(edges))
    found = mixed.loaded.predict(rows).probabilities
    assert found is not None
    np.testing.assert_allclose(found, mixed.model.predict_proba(rows), rtol=0, atol=1e-5)


def test_a_name_that_was_never_seen_is_answered_like_any_other_such(mixed: Mixed) -> None:
    rows = [mixed.row(Agency=name, Product_Name=name) for name in ("EPX", "no such name", "", "é" * 200)]
    shares = mixed.loaded.predict(mixed.loaded.as_rows(rows)).probabilities
    assert shares is not None
    np.testing.assert_array_equal(shares[1], shares[2])
    np.testing.assert_array_equal(shares[1], shares[3])


def test_mixed_rows_are_taken_as_a_client_gives_them(mixed: Mixed) -> None:
    whole, fraction = mixed.row(Duration=34, Age=36), mixed.row(Duration=34.0, Age=36.0)
    assert mixed.loaded.as_rows([whole]).dtype == object
    one, other = (mixed.loaded.predict(mixed.loaded.as_rows([row])).probabilities for row in (whole, fraction))
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one, other)


def test_a_mixed_bundle_carries_rows_of_names_and_numbers_with_their_right_answers(mixed: Mixed) -> None:
    golden = mixed.loaded.metadata["golden"]
    assert [[type(value) for value in row] for row in golden["input"]] == [
        [float if feature.kind == "number" else str for feature in mixed.problem.features]
    ] * GOLDEN_ROWS
    X = np.array(golden["input"], dtype=object)
    assert golden["label"] == mixed.model.predict(X).tolist()
    np.testing.assert_array_equal(golden["probabilities"], mixed.model.predict_proba(X))
    mixed.loaded.check_golden()


@pytest.mark.parametrize(
    "spoilt",
    [{"label": [1, 1, 1]}, {"input": [["EPX"] * 9] * 3}, {"input": [[1.0] * 4] * 3}, {"outlier_score": [9.0] * 3}],
)
def test_golden_rows_of_a_mixed_bundle_that_were_tampered_with_are_refused(
    mixed: Mixed, spoilt: dict[str, object]
) -> None:
    graph = onnx.load_model_from_string(mixed.graph)
    loaded = change(graph, "golden", lambda text: json.dumps({**json.loads(text), **spoilt}))
    with pytest.raises(ModelError):
        loaded.check_golden()


def test_a_mixed_bundle_without_golden_rows_is_tried_with_zeros_and_empty_names(mixed: Mixed) -> None:
    change(onnx.load_model_from_string(mixed.graph), "golden", lambda _: None).check_golden()


def test_a_mixed_bundle_carries_the_shares_of_names_and_the_bins_of_numbers(mixed: Mixed) -> None:
    reference = mixed.loaded.metadata["reference"]["features"]
    assert list(reference) == list(mixed.problem.columns)
    fitted, _ = split(mixed.rows)
    for place, feature in enumerate(mixed.problem.features):
        column = fitted.X[:, place]
        if feature.kind == "category":
            names, counts = np.unique(column.astype(str), return_counts=True)
            assert reference[feature.name] == {"shares": dict(zip(names, counts / len(column), strict=True))}
        else:
            assert reference[feature.name]["mean"] == pytest.approx(column.astype(float).mean())
            assert sum(reference[feature.name]["bins"]["shares"]) == pytest.approx(1)
    assert [each["kind"] for each in mixed.loaded.metadata["features"]] == [f.kind for f in mixed.problem.features]


def test_parity_of_a_mixed_bundle_fails_for_other_trees_and_for_another_scorer(mixed: Mixed) -> None:
    graph = onnx.load_model_from_string(mixed.graph)
    check_parity(graph, mixed.model, mixed.rows.X, mixed.scorer)
    other = travel_insurance.learn_in_batches(mixed.rows.X, mixed.rows.y)
    with pytest.raises(ModelError, match="of row"):
        check_parity(graph, other, mixed.rows.X)
    with pytest.raises(ModelError, match="the outlier scores of row"):
        check_parity(graph, mixed.model, mixed.rows.X, fit_outlier_scorer(mixed.rows, mixed.rows))


@pytest.fixture(scope="module")
def silent(rows: Table) -> Classifier:
    """A classifier that gives no probabilities, as the last step of a pipeline."""
    fitted: Classifier = make_pipeline(StandardScaler(), Perceptron(random_state=0)).fit(rows.X, rows.y)
    return fitted


@pytest.mark.parametrize("alone", [True, False])
def test_a_model_without_probabilities_has_one_answer_and_says_what_it_says(
    problem: Problem, rows: Table, silent: Classifier, *, alone: bool
) -> None:
    model = Perceptron(random_state=0).fit(rows.X, rows.y) if alone else silent
    graph = export_onnx(model, problem, rows)
    assert [output.name for output in graph.graph.output] == ["label"]
    loaded = OnnxModel(graph.SerializeToString())
    loaded.check_golden()
    X = rows.X.astype(np.float32)
    answer = loaded.predict(X)
    assert answer.probabilities is None
    np.testing.assert_array_equal(answer.labels, model.predict(X))


def test_golden_rows_of_a_model_without_probabilities_have_none(
    problem: Problem, rows: Table, silent: Classifier, scorer: OutlierScorer
) -> None:
    graph = export_onnx(silent, problem, rows, scorer)
    assert [output.name for output in graph.graph.output] == ["label", "outlier_score"]
    assert set(OnnxModel(graph.SerializeToString()).metadata["golden"]) == {"input", "label", "outlier_score"}
    check_parity(graph, silent, rows.X, scorer)


def test_parity_of_a_model_without_probabilities_fails_by_its_labels(
    problem: Problem, rows: Table, silent: Classifier
) -> None:
    graph = export_onnx(silent, problem, rows)
    other = LogisticRegression().fit(rows.X, (rows.y + 1) % 3)
    with pytest.raises(ModelError, match=r"the label of row \d+ differs"):
        check_parity(graph, other, rows.X)


def test_a_model_of_two_classes_without_probabilities_answers_with_their_indices(problem: Problem, rows: Table) -> None:
    two = Table(rows.X[rows.y != 2], rows.y[rows.y != 2])
    kinds = replace(problem, target=Target("kind", problem.target.classes[:2]))
    model = make_pipeline(StandardScaler(), Perceptron(random_state=0)).fit(two.X, two.y)
    loaded = OnnxModel(export_onnx(model, kinds, two).SerializeToString())
    loaded.check_golden()
    np.testing.assert_array_equal(loaded.predict(two.X.astype(np.float32)).labels, two.y)


def test_a_problem_of_one_name_alone_is_answered(problem: Problem) -> None:
    colour = Category("colour", "of the flower", ("blue", "red"), example="blue")
    one = replace(problem, features=(colour,), target=Target("kind", ("no", "yes")))
    X = np.array([["blue"], ["red"]] * 5, dtype=object)
    known = ColumnTransformer([("names", OneHotEncoder(handle_unknown="ignore", sparse_output=False), [0])])
    model = make_pipeline(known, LogisticRegression()).fit(X, np.array([0, 1] * 5))
    loaded = OnnxModel(export_onnx(model, one, Table(X, np.array([0, 1] * 5))).SerializeToString())
    loaded.check_golden()
    assert loaded.width == 1
    assert loaded.predict(loaded.as_rows([["red"], ["blue"], ["green"]])).labels.tolist()[:2] == [1, 0]

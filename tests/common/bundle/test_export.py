"""The export: the graph and its metadata, and classifiers of several families."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from common.bundle.export import GOLDEN_ROWS, OPSET, export_onnx
from common.bundle.model import ModelError, OnnxModel
from common.bundle.outliers import OutlierScorer
from common.bundle.parity import check_parity
from common.problem import Category, Classifier, Problem, Table, Target
from tests.common.bundle.graphs import answer_of, assert_same, change, load, with_scorer_inside


def test_the_graph_has_one_input_and_the_outputs_of_the_contract(graph: ModelProto) -> None:
    def described(values: object) -> list[tuple[str, int, list[int | str]]]:
        return [
            (v.name, v.type.tensor_type.elem_type, [d.dim_value or d.dim_param for d in v.type.tensor_type.shape.dim])
            for v in values  # type: ignore[attr-defined]
        ]

    onnx.checker.check_model(graph, full_check=True)
    assert described(graph.graph.input) == [("input", TensorProto.FLOAT, ["", 4])]
    label, probabilities = described(graph.graph.output)
    assert label[:2] == ("label", TensorProto.INT64)
    assert probabilities[:2] == ("probabilities", TensorProto.FLOAT)
    assert {opset.domain: opset.version for opset in graph.opset_import} == OPSET


def test_the_part_in_the_metadata_adds_the_scores_to_the_graph(merged: ModelProto, content: bytes, rows: Table) -> None:
    onnx.checker.check_model(merged, full_check=True)
    assert [output.name for output in merged.graph.output] == ["label", "probabilities", "outlier_score"]
    assert len({node.name for node in merged.graph.node}) == len(merged.graph.node)
    X = rows.X.astype(np.float32)
    assert_same(load(merged).predict(X), OnnxModel(content).predict(X))


@pytest.mark.parametrize("part", [7, "no digits", "a", "3a0a", [1]])
def test_a_damaged_part_is_refused(graph: ModelProto, part: object) -> None:
    with pytest.raises(ModelError, match="ONNX Runtime cannot load the file"):
        change(graph, "outlier_part", lambda _: json.dumps(part))


def test_operator_sets_have_an_order(graph: ModelProto) -> None:
    domains = [opset.domain for opset in graph.opset_import]
    assert len(domains) > 1
    assert domains == sorted(domains)


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
    beside, single = (export_onnx(model, problem, rows, each) for each in (scorer, None))
    onnx.checker.check_model(with_scorer_inside(beside.SerializeToString()), full_check=True)
    drawn = np.random.default_rng(0).uniform(0, 10, (1000, 4)).astype(np.float32)
    both, one = (OnnxModel(graph.SerializeToString()).predict(drawn) for graph in (beside, single))
    assert_same(replace(both, outlier_scores=None), one)
    assert_same(both, answer_of(model, drawn, scorer), atol=1e-5)


def test_a_bundle_without_a_scorer_is_answered_from_and_flags_nothing(alone: bytes, rows: Table) -> None:
    loaded = OnnxModel(alone)
    loaded.check_golden()
    answer = loaded.predict(rows.X[:2].astype(np.float32))
    assert answer.probabilities is not None
    assert answer.outlier_scores is None
    assert loaded.is_outlier(answer) is None
    assert loaded.outlier_threshold is None
    assert not {"outliers", "outlier_part"} & loaded.metadata.keys()
    assert "outlier_score" not in loaded.metadata["golden"]


def test_the_file_carries_the_threshold_by_which_its_rows_are_flagged(
    graph: ModelProto, scorer: OutlierScorer, rows: Table
) -> None:
    loaded = load(graph)
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


def test_the_file_carries_the_description_of_the_model(content: bytes, problem: Problem) -> None:
    loaded = OnnxModel(content)
    assert loaded.classes == problem.target.classes
    assert loaded.width == 4
    assert loaded.metadata["problem"] == "iris"
    assert loaded.metadata["classes"] == list(problem.target.classes)
    assert loaded.metadata["features"] == [asdict(feature) for feature in problem.features]
    first = loaded.metadata["features"][0]
    assert (first["name"], first["unit"], first["minimum"], first["maximum"]) == ("sepal_length", "cm", 0.0, 30.0)


def test_the_file_carries_rows_with_their_right_answers(
    content: bytes, model: Classifier, rows: Table, scorer: OutlierScorer
) -> None:
    golden = OnnxModel(content).metadata["golden"]
    X = np.array(golden["input"], dtype=np.float32)
    np.testing.assert_array_equal(X, rows.X[:GOLDEN_ROWS].astype(np.float32))
    assert golden["label"] == model.predict(X).tolist()
    np.testing.assert_array_equal(golden["probabilities"], model.predict_proba(X))
    np.testing.assert_array_equal(golden["outlier_score"], scorer.score(X))


WITHOUT_PROBABILITIES = {
    "LinearSVC": LinearSVC(),
    "in a pipeline": make_pipeline(StandardScaler(), LinearSVC()),
    "RidgeClassifier": RidgeClassifier(),
    "Perceptron in a pipeline": make_pipeline(StandardScaler(), Perceptron(random_state=0)),
}


@pytest.mark.parametrize("kind", WITHOUT_PROBABILITIES)
def test_classifiers_without_probabilities_are_exported(
    rows: Table, problem: Problem, scorer: OutlierScorer, kind: str
) -> None:
    fitted = WITHOUT_PROBABILITIES[kind].fit(rows.X, rows.y)
    graph = export_onnx(fitted, problem, rows, scorer)
    check_parity(load(graph), fitted, rows.X, scorer)
    assert [output.name for output in graph.graph.output] == ["label"]
    assert set(load(graph).metadata["golden"]) == {"input", "label", "outlier_score"}


def test_a_model_that_cannot_be_converted_is_refused_in_one_line_that_names_it(rows: Table, problem: Problem) -> None:
    for model in (NearestCentroid(), HistGradientBoostingClassifier(max_iter=5)):
        with pytest.raises(ModelError, match=f"^{type(model).__name__} cannot be converted to ONNX: ") as refused:
            export_onnx(model.fit(rows.X, rows.y), problem, rows)
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 500


@pytest.fixture(scope="module")
def silent(rows: Table) -> Classifier:
    """A classifier that gives no probabilities, as the last step of a pipeline."""
    fitted: Classifier = make_pipeline(StandardScaler(), Perceptron(random_state=0)).fit(rows.X, rows.y)
    return fitted


@pytest.mark.parametrize("alone", [True, False])
def test_a_model_without_probabilities_has_one_output_with_the_labels_of_the_model(
    problem: Problem, rows: Table, silent: Classifier, *, alone: bool
) -> None:
    model = Perceptron(random_state=0).fit(rows.X, rows.y) if alone else silent
    graph = export_onnx(model, problem, rows)
    assert [output.name for output in graph.graph.output] == ["label"]
    loaded = load(graph)
    loaded.check_golden()
    X = rows.X.astype(np.float32)
    answer = loaded.predict(X)
    assert answer.probabilities is None
    np.testing.assert_array_equal(answer.labels, model.predict(X))


def test_parity_of_a_model_without_probabilities_fails_by_its_labels(
    problem: Problem, rows: Table, silent: Classifier
) -> None:
    graph = export_onnx(silent, problem, rows)
    other = LogisticRegression().fit(rows.X, (rows.y + 1) % 3)
    with pytest.raises(ModelError, match=r"the label of row \d+ differs"):
        check_parity(load(graph), other, rows.X)


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

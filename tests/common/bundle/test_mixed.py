"""A bundle of names and numbers."""

import json
import re
from dataclasses import dataclass

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from common.bundle.export import GOLDEN_ROWS, export_onnx
from common.bundle.model import ModelError, OnnxModel
from common.bundle.outliers import OutlierScorer, fit_outlier_scorer
from common.bundle.parity import check_parity
from common.problem import Classifier, Problem, Table, as_float32
from common.split import split
from problems import travel_insurance
from tests.common.bundle.graphs import answer_of, assert_same, change, load, with_scorer_inside


@dataclass(frozen=True)
class Mixed:
    """A bundle of columns of names and numbers, with the model, the scorer and the rows in it."""

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
    graph = with_scorer_inside(mixed.graph)
    onnx.checker.check_model(graph, full_check=True)
    found = [(re.sub(r"[\W_]", "", given.name), given.type.tensor_type.elem_type) for given in graph.graph.input]
    kinds = {"number": TensorProto.FLOAT, "category": TensorProto.STRING}
    assert found == [(re.sub(r"[\W_]", "", each.name), kinds[each.kind]) for each in mixed.problem.features]
    assert [[d.dim_value for d in given.type.tensor_type.shape.dim] for given in graph.graph.input] == [[0, 1]] * 9
    assert [output.name for output in graph.graph.output] == ["label", "probabilities", "outlier_score"]
    assert mixed.loaded.width == 9


@pytest.mark.parametrize("count", [1, 2, 3000])
def test_a_mixed_bundle_gives_the_answers_of_the_model_and_the_scorer(mixed: Mixed, count: int) -> None:
    rows = as_float32(mixed.rows.X[:count])
    answer = mixed.loaded.predict(rows)
    assert answer.labels.shape == (count,)
    assert_same(answer, answer_of(mixed.model, rows, mixed.scorer), atol=1e-5)


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
    one, other = (mixed.loaded.predict(mixed.loaded.as_rows([row])) for row in (whole, fraction))
    assert_same(one, other)


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
    check_parity(load(graph), mixed.model, mixed.rows.X, mixed.scorer)
    other = travel_insurance.learn_in_batches(mixed.rows.X, mixed.rows.y)
    with pytest.raises(ModelError, match="of row"):
        check_parity(load(graph), other, mixed.rows.X)
    with pytest.raises(ModelError, match="the outlier scores of row"):
        check_parity(load(graph), mixed.model, mixed.rows.X, fit_outlier_scorer(mixed.rows, mixed.rows))

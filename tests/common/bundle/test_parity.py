"""The check that a bundle answers as the model that it was made from."""

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto
from sklearn.linear_model import LogisticRegression

from common.bundle.model import ModelError, OnnxModel
from common.bundle.outliers import OutlierScorer, fit_outlier_scorer
from common.bundle.parity import check_parity
from common.problem import Classifier, Problem, Table
from common.split import split
from tests.common.bundle.graphs import load


def test_parity_holds_for_the_model_that_was_exported(
    graph: ModelProto, model: Classifier, rows: Table, scorer: OutlierScorer
) -> None:
    check_parity(load(graph), model, rows.X, scorer)


def test_parity_fails_for_another_scorer(graph: ModelProto, model: Classifier, rows: Table) -> None:
    validation, fitting = split(rows)
    with pytest.raises(ModelError, match=r"the outlier scores of row \d+ differ by .* \(> 1e-05\)"):
        check_parity(load(graph), model, rows.X, fit_outlier_scorer(fitting, validation))


def test_parity_fails_for_a_bundle_that_lost_its_scorer(
    alone: bytes, model: Classifier, rows: Table, scorer: OutlierScorer
) -> None:
    with pytest.raises(ModelError, match="no outlier scores"):
        check_parity(OnnxModel(alone), model, rows.X, scorer)


def test_parity_fails_for_a_model_with_other_labels(graph: ModelProto, rows: Table) -> None:
    other = LogisticRegression().fit(rows.X, (rows.y + 1) % 3)
    with pytest.raises(ModelError, match=r"the label of row \d+ differs \(\d+ of 120 rows do\)"):
        check_parity(load(graph), other, rows.X)


def test_parity_fails_for_a_model_with_other_probabilities(
    graph: ModelProto, problem: Problem, rows: Table, model: Classifier
) -> None:
    other = problem.candidates()[1].fit(rows.X, rows.y)
    same = rows.X[model.predict(rows.X) == other.predict(rows.X)]
    with pytest.raises(ModelError, match=r"the probabilities of row \d+ differ by .* \(> 1e-05\)"):
        check_parity(load(graph), other, same)


def test_parity_fails_for_a_graph_whose_weights_were_changed(graph: ModelProto, model: Classifier, rows: Table) -> None:
    weights = next(i for i in graph.graph.initializer if i.data_type == TensorProto.FLOAT and len(i.dims) == 2)
    values = onnx.numpy_helper.to_array(weights)
    weights.CopyFrom(onnx.numpy_helper.from_array(values * np.float32(1.001), weights.name))
    with pytest.raises(ModelError, match="differ"):
        check_parity(load(graph), model, rows.X)

"""A perceptron on iris as a bundle, with an outlier scorer and without."""

import onnx
import pytest
from onnx import ModelProto

from common.bundle.export import export_onnx
from common.bundle.outliers import OutlierScorer, fit_outlier_scorer
from common.problem import Classifier, Problem, Table
from common.split import split
from tests.common.bundle.graphs import with_scorer_inside


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


@pytest.fixture
def merged(content: bytes) -> ModelProto:
    """Return the bundle in its earlier form, with the scorer in its graph."""
    return with_scorer_inside(content)

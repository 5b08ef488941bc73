"""Steps for pipelines of mixed columns, which scikit-learn has not, with their counterparts in ONNX.

They work in float32, as ONNX does, so that nothing that follows can part what is the same there.

They need scikit-learn: import them where a model is fitted.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.algebra.onnx_ops import OnnxAdd, OnnxCast, OnnxGreater, OnnxLess, OnnxMin, OnnxWhere
from skl2onnx.common.data_types import FloatTensorType
from sklearn.base import BaseEstimator, TransformerMixin

from common.problem import Floats, Rows


class Plausible(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Numbers below `minimum` become the median of the others; those above `maximum` become `maximum`."""

    def __init__(self, minimum: float, maximum: float) -> None:
        """Take the limits."""
        self.minimum = minimum
        self.maximum = maximum

    def fit(self, X: Rows, y: object = None) -> Self:  # noqa: ARG002  # scikit-learn passes it
        """Find the median of each column of `X` `[rows, columns]`."""
        numbers = np.asarray(X, dtype=np.float32)
        medians = [np.median(column[column >= self.minimum]) for column in numbers.T]
        self.medians_ = np.array(medians, dtype=np.float32)
        return self

    def transform(self, X: Rows) -> Floats:
        """Return the columns as they are plausible `[rows, columns]`."""
        numbers = np.asarray(X, dtype=np.float32)
        plausible: Floats = np.where(numbers < self.minimum, self.medians_, numbers)
        return np.minimum(plausible, np.float32(self.maximum))


class Grouped(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # likewise
    """Numbers become the number of the group that they are in; a group ends with, and includes, its edge."""

    def __init__(self, edges: Sequence[float]) -> None:
        """Take the edges, in order; above the last is one more group."""
        self.edges = edges

    def fit(self, X: Rows, y: object = None) -> Self:  # noqa: ARG002  # scikit-learn passes it
        """Learn nothing."""
        self.n_features_in_ = np.shape(X)[1]
        return self

    def transform(self, X: Rows) -> Floats:
        """Return the groups of each column `[rows, columns]`."""
        return np.searchsorted(np.array(self.edges, dtype=np.float32), np.asarray(X, dtype=np.float32)).astype(
            np.float32
        )


def register_converters() -> None:
    """Teach skl2onnx these steps, and the trees of LightGBM."""
    update_registered_converter(Plausible, "LabPlausible", _same_shape, _convert_plausible)
    update_registered_converter(Grouped, "LabGrouped", _same_shape, _convert_grouped)


def _same_shape(operator: Any) -> None:
    operator.outputs[0].type = FloatTensorType([None, operator.inputs[0].type.shape[1]])


def _convert_plausible(scope: Any, operator: Any, container: Any) -> None:
    step, options = operator.raw_operator, {"op_version": container.target_opset}
    X = operator.inputs[0]
    implausible = OnnxLess(X, np.array([step.minimum], dtype=np.float32), **options)
    replaced = OnnxWhere(implausible, step.medians_.astype(np.float32), X, **options)
    limit = np.array([step.maximum], dtype=np.float32)
    OnnxMin(replaced, limit, output_names=operator.outputs[:1], **options).add_to(scope, container)


def _convert_grouped(scope: Any, operator: Any, container: Any) -> None:
    step, options = operator.raw_operator, {"op_version": container.target_opset}
    X = operator.inputs[0]
    beyond = [
        OnnxCast(OnnxGreater(X, np.array([edge], dtype=np.float32), **options), to=1, **options) for edge in step.edges
    ]
    group = beyond[0]
    for each in beyond[1:]:
        group = OnnxAdd(group, each, **options)
    OnnxAdd(group, np.array([0], dtype=np.float32), output_names=operator.outputs[:1], **options).add_to(
        scope, container
    )

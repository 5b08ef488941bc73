"""Two steps for scikit-learn pipelines of mixed columns, and their converters to ONNX.

The steps compute in float32, as ONNX does, so that a later step sees the same numbers in both. The module needs
scikit-learn, so a problem imports it only where it fits a model.
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
    """Replaces numbers below `minimum` by the median of the other numbers, and numbers above `maximum` by `maximum`."""

    def __init__(self, minimum: float, maximum: float) -> None:
        """Set the limits."""
        self.minimum = minimum
        self.maximum = maximum

    def fit(self, X: Rows, y: object = None) -> Self:  # noqa: ARG002  # scikit-learn passes it
        """Compute the medians of the columns of `X` `[rows, columns]`."""
        numbers = np.asarray(X, dtype=np.float32)
        medians = [np.median(column[column >= self.minimum]) for column in numbers.T]
        self.medians_ = np.array(medians, dtype=np.float32)
        return self

    def transform(self, X: Rows) -> Floats:
        """Return the columns `[rows, columns]` with these replacements."""
        numbers = np.asarray(X, dtype=np.float32)
        plausible: Floats = np.where(numbers < self.minimum, self.medians_, numbers)
        return np.minimum(plausible, np.float32(self.maximum))


class Grouped(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Replaces each number by the number of its group, from 0 on; a group includes its upper edge."""

    def __init__(self, edges: Sequence[float]) -> None:
        """Set the edges in ascending order; numbers above the last edge are one more group."""
        self.edges = edges

    def fit(self, X: Rows, y: object = None) -> Self:  # noqa: ARG002  # scikit-learn passes it
        """Note the number of columns."""
        self.n_features_in_ = np.shape(X)[1]
        return self

    def transform(self, X: Rows) -> Floats:
        """Return the group numbers `[rows, columns]`."""
        return np.searchsorted(np.array(self.edges, dtype=np.float32), np.asarray(X, dtype=np.float32)).astype(
            np.float32
        )


def register_converters() -> None:
    """Register the converters of both steps with skl2onnx."""
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

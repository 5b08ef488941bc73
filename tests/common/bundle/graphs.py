"""Bundles that a test changes, models as another tool exports them, and the comparison of answers."""

import json
from collections.abc import Callable

import numpy as np
import onnx
from onnx import ModelProto, helper
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

from common.bundle.export import OPSET
from common.bundle.model import Answer, OnnxModel
from common.bundle.outliers import OutlierScorer
from common.problem import Classifier, Rows, Table


def load(graph: ModelProto) -> OnnxModel:
    return OnnxModel(graph.SerializeToString())


def change(graph: ModelProto, key: str, new: Callable[[str], str | None]) -> OnnxModel:
    """Load the graph with one of its properties changed, or dropped for None."""
    properties = {p.key: p.value for p in graph.metadata_props}
    changed = new(properties.pop(key))
    del graph.metadata_props[:]
    helper.set_model_props(graph, properties if changed is None else {**properties, key: changed})
    return load(graph)


def with_scorer_inside(content: bytes) -> ModelProto:
    """Return a bundle as the lab wrote it before: the outlier scorer is in the graph, and its score an output."""
    properties = {p.key: p.value for p in onnx.load_model_from_string(content).metadata_props}
    part = bytes.fromhex(json.loads(properties.pop("outlier_part")))
    merged = onnx.load_model_from_string(content + part)
    del merged.metadata_props[:]
    helper.set_model_props(merged, properties)
    return merged


def bare(rows: Table, y: object = None, *, zipmap: bool = False) -> bytes:
    """Return a classifier exported with the converter alone, as somebody else would."""
    fitted = LogisticRegression().fit(rows.X, rows.y if y is None else y)
    exported = to_onnx(
        fitted, rows.X[:1].astype(np.float32), options={id(fitted): {"zipmap": zipmap}}, target_opset=OPSET
    )
    content: bytes = exported.SerializeToString()
    return content


def answer_of(model: Classifier, X: Rows, scorer: OutlierScorer | None = None) -> Answer:
    """Return scikit-learn's answer."""
    return Answer(model.predict(X), model.predict_proba(X), scorer.score(X) if scorer else None)


def assert_same(found: Answer, right: Answer, atol: float = 0.0) -> None:
    """Assert that two answers have the same labels, and probabilities and scores that differ by `atol` at most."""
    np.testing.assert_array_equal(found.labels, right.labels)
    for name in ("probabilities", "outlier_scores"):
        values, expected = getattr(found, name), getattr(right, name)
        assert (values is None) == (expected is None), name
        if expected is not None:
            np.testing.assert_allclose(values, expected, rtol=0, atol=atol, err_msg=name)

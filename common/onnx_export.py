"""From a fitted scikit-learn classifier to the ONNX bundle, and the check that both say the same.

Apart from `onnx_io`, because only those who train need the converter and scikit-learn.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from onnx import ModelProto
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType

from common.onnx_io import OnnxModel, compare
from common.problem import Classifier, Floats, Problem, Table

GOLDEN_ROWS = 3
QUANTILES = tuple(np.linspace(0.0, 1.0, 11))
# What the converters of every model family in use here support.
OPSET = {"": 17, "ai.onnx.ml": 3}


def export_onnx(model: Classifier, problem: Problem, train: Table, metrics: Mapping[str, float]) -> ModelProto:
    """Convert a fitted classifier into the bundle.

    Args:
        model: a scikit-learn classifier whose classes are the indices of the problem's classes.
        problem: gives features and class names.
        train: the rows that the model learnt from; their statistics go into the bundle.
        metrics: results on the test rows, by name.

    Returns:
        A graph with input `input` (float32 `[rows, features]`) and outputs `label` (int64 `[rows]`) and
        `probabilities` (float32 `[rows, classes]`), described in `metadata_props`.
    """
    graph: ModelProto = to_onnx(
        model,
        initial_types=[("input", FloatTensorType([None, len(problem.features)]))],
        options={id(model): {"zipmap": False, "output_class_labels": False}},
        target_opset=OPSET,
    )
    for output, name in zip(graph.graph.output, ("label", "probabilities"), strict=True):
        _rename_output(graph, output.name, name)
    golden = train.X[:GOLDEN_ROWS].astype(np.float32)
    bundle = {
        "problem": problem.name,
        "classes": problem.target.classes,
        "features": [asdict(feature) for feature in problem.features],
        "metrics": dict(metrics),
        "reference": reference_statistics(problem, train),
        "golden": {
            "input": golden.tolist(),
            "label": model.predict(golden).tolist(),
            "probabilities": model.predict_proba(golden).tolist(),
        },
    }
    for key, value in bundle.items():
        graph.metadata_props.add(key=key, value=json.dumps(value))
    return graph


def reference_statistics(problem: Problem, train: Table) -> dict[str, Any]:
    """Return what later data are compared with: rows, class counts, and per feature mean, deviation and deciles."""
    return {
        "rows": len(train.y),
        "class_counts": np.bincount(train.y, minlength=len(problem.target.classes)).tolist(),
        "features": {
            name: {
                "mean": float(column.mean()),
                "std": float(column.std()),
                "quantiles": np.quantile(column, QUANTILES).tolist(),
            }
            for name, column in zip(problem.columns, train.X.T, strict=True)
        },
    }


def check_parity(graph: ModelProto, model: Classifier, X: Floats) -> None:
    """Compare the bundle with the classifier it came from, on rows `X` `[rows, features]`.

    Raises:
        ModelError: a label differs, or a probability by more than 1e-5.
    """
    loaded = OnnxModel(graph.SerializeToString())
    loaded.check_golden()
    rows = X.astype(np.float32)
    compare(loaded.predict(rows), model.predict(rows), model.predict_proba(rows))


def _rename_output(graph: ModelProto, old: str, new: str) -> None:
    for node in graph.graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
    for output in graph.graph.output:
        if output.name == old:
            output.name = new

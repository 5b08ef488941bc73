"""From a fitted scikit-learn classifier to the ONNX bundle, and the check that both say the same.

Apart from `onnx_io`, because only those who train need the converter and scikit-learn.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, compose, helper
from onnx.utils import Extractor
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType

from common.onnx_io import OUTLIER_SCORE, OnnxModel, compare
from common.outliers import OutlierScorer
from common.problem import Classifier, Floats, Problem, Table

GOLDEN_ROWS = 3
QUANTILES = tuple(np.linspace(0.0, 1.0, 11))
# What the converters of every model family in use here support.
OPSET = {"": 17, "ai.onnx.ml": 3}


def export_onnx(
    model: Classifier,
    problem: Problem,
    train: Table,
    metrics: Mapping[str, float],
    scorer: OutlierScorer | None = None,
) -> ModelProto:
    """Convert a fitted classifier, and the scorer of outliers beside it, into the bundle.

    Args:
        model: a scikit-learn classifier whose classes are the indices of the problem's classes.
        problem: gives features and class names.
        train: the rows that the model learnt from; their statistics go into the bundle.
        metrics: results on the test rows, by name.
        scorer: says how unlike the training data a row is; None for a bundle that does not say it.

    Returns:
        A graph with input `input` (float32 `[rows, features]`) and outputs `label` (int64 `[rows]`),
        `probabilities` (float32 `[rows, classes]`) and, with a scorer, `outlier_score` (float32 `[rows]`), described
        in `metadata_props`.
    """
    options = {id(model): {"zipmap": False, "output_class_labels": False}}
    graph = _convert(model, len(problem.features), options)
    for output, name in zip(graph.graph.output, ("label", "probabilities"), strict=True):
        _rename_output(graph, output.name, name)
    if scorer:
        _merge(graph, _convert(scorer.pipeline, len(problem.features)))
    for key, value in _describe(model, problem, train, metrics, scorer).items():
        graph.metadata_props.add(key=key, value=json.dumps(value))
    return graph


def _convert(model: Any, width: int, options: Mapping[int, Mapping[str, bool]] | None = None) -> ModelProto:
    inputs = [("input", FloatTensorType([None, width]))]
    graph: ModelProto = to_onnx(model, initial_types=inputs, options=options, target_opset=OPSET)
    return graph


def _merge(graph: ModelProto, scorer: ModelProto) -> None:
    """Add the graph of a scorer to that of a classifier: the same input, and an output more."""
    prefixed = compose.add_prefix(scorer, "outlier_", rename_inputs=False)
    # Its labels are left out: they tell by the sign of the score alone, and nobody asks for them.
    added = Extractor(prefixed).extract_model(["input"], ["outlier_scores"]).graph
    [column] = added.output
    rows = helper.make_tensor("outlier_rows", TensorProto.INT64, [1], [-1])
    flatten = helper.make_node("Reshape", [column.name, rows.name], [OUTLIER_SCORE], "outlier_flatten")
    graph.graph.node.extend([*added.node, flatten])
    graph.graph.initializer.extend([*added.initializer, rows])
    graph.graph.output.append(helper.make_tensor_value_info(OUTLIER_SCORE, TensorProto.FLOAT, [None]))
    # The converter notes the lowest versions that a graph can do with: those of the two may differ.
    versions = {opset.domain: opset.version for opset in graph.opset_import} | OPSET
    del graph.opset_import[:]
    graph.opset_import.extend(helper.make_opsetid(*opset) for opset in versions.items())


def _describe(
    model: Classifier, problem: Problem, train: Table, metrics: Mapping[str, float], scorer: OutlierScorer | None
) -> dict[str, Any]:
    golden = train.X[:GOLDEN_ROWS].astype(np.float32)
    bundle: dict[str, Any] = {
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
    if scorer:
        bundle["outliers"] = {"threshold": scorer.threshold, "training_rate": scorer.training_rate}
        bundle["golden"]["outlier_score"] = scorer.score(golden).tolist()
    return bundle


def reference_statistics(problem: Problem, train: Table) -> dict[str, Any]:
    """Return what later data are compared with.

    Number of rows, class counts, and per feature mean, deviation, deciles, and the share of the rows in each bin
    between inner deciles: a bin ends with, and includes, its edge; the last has none.
    """
    return {
        "rows": len(train.y),
        "class_counts": np.bincount(train.y, minlength=len(problem.target.classes)).tolist(),
        "features": {name: _reference(column) for name, column in zip(problem.columns, train.X.T, strict=True)},
    }


def _reference(column: Floats) -> dict[str, Any]:
    quantiles = np.quantile(column, QUANTILES)
    # Measured values repeat, so that the bins between deciles hold more or less than a tenth: how much, is told.
    edges = np.unique(quantiles[1:-1])
    shares = np.bincount(np.searchsorted(edges, column), minlength=len(edges) + 1) / len(column)
    return {
        "mean": float(column.mean()),
        "std": float(column.std()),
        "quantiles": quantiles.tolist(),
        "bins": {"edges": edges.tolist(), "shares": shares.tolist()},
    }


def check_parity(graph: ModelProto, model: Classifier, X: Floats, scorer: OutlierScorer | None = None) -> None:
    """Compare the bundle with the classifier and the scorer it came from, on rows `X` `[rows, features]`.

    Raises:
        ModelError: a label differs, a probability by more than 1e-5, or an outlier score by more than 1e-5 of its size
            (of 1, if it is smaller).
    """
    loaded = OnnxModel(graph.SerializeToString())
    loaded.check_golden()
    rows = X.astype(np.float32)
    scores = scorer.score(rows) if scorer else None
    compare(loaded.predict(rows), model.predict(rows), model.predict_proba(rows), scores)


def _rename_output(graph: ModelProto, old: str, new: str) -> None:
    for node in graph.graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
    for output in graph.graph.output:
        if output.name == old:
            output.name = new

"""From a fitted scikit-learn classifier to the ONNX bundle, and the check that both say the same.

Apart from `onnx_io`, because only those who train need the converter and scikit-learn.
"""

import json
import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, compose, helper
from onnx.utils import Extractor
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.pipeline import Pipeline

from common import evaluate
from common.bundle import column_steps
from common.bundle.model import OUTLIER_SCORE, Answer, ModelError, OnnxModel, compare
from common.bundle.outliers import OutlierScorer
from common.problem import (
    Classifier,
    Feature,
    Floats,
    Ints,
    Problem,
    Rows,
    Table,
    as_float32,
    probabilities_of,
)

GOLDEN_ROWS = 3
MAX_REASON = 300  # characters of what a converter says
PERCENTILES = tuple(np.linspace(0.0, 1.0, 101))
# What the converters of every model family in use here support.
OPSET = {"": 17, "ai.onnx.ml": 3}


@dataclass(frozen=True)
class Tested:
    """A bundle, and how it has answered the test rows.

    Attributes:
        graph: the bundle; its `metrics` are those of `matrix`.
        matrix: counts `[classes, classes]`: row is the true class, column the answered one.
    """

    graph: ModelProto
    matrix: Ints

    @property
    def metrics(self) -> dict[str, float]:
        """Accuracy and macro precision, recall and F1 on the test rows."""
        return evaluate.summary(self.matrix)


def export_tested(
    model: Classifier, problem: Problem, train: Table, test: Table, scorer: OutlierScorer | None = None
) -> Tested:
    """Convert a classifier, ask the bundle the test rows as a client would send them, and write its results into it.

    Args:
        model: as `export_onnx` takes it, like the next two and the last.
        problem: gives features and class names.
        train: the rows that the model learnt from.
        test: rows that it has not learnt from.
        scorer: of outliers, if there is one.

    Raises:
        ModelError: the bundle answers otherwise than the model; see `check_parity`.
    """
    graph = export_onnx(model, problem, train, scorer)
    check_parity(graph, model, test.X, scorer)
    loaded = OnnxModel(graph.SerializeToString())
    answer = loaded.predict(loaded.as_rows(test.X))
    answers = answer_statistics(answer, problem, test.y)
    matrix: Ints = np.array(answers["confusion"], dtype=np.int64)
    reference = {**loaded.metadata["reference"], "answers": answers}
    _set_metadata(graph, loaded.metadata | {"metrics": evaluate.summary(matrix), "reference": reference})
    return Tested(graph, matrix)


def export_onnx(model: Classifier, problem: Problem, train: Table, scorer: OutlierScorer | None = None) -> ModelProto:
    """Convert a fitted classifier, and the scorer of outliers beside it, into the bundle, without results.

    Args:
        model: a scikit-learn classifier whose classes are the indices of the problem's classes.
        problem: gives features and class names.
        train: the rows that the model learnt from; their statistics go into the bundle.
        scorer: says how unlike the training data a row is; None for a bundle that does not say it.

    Returns:
        A graph with input `input` (float32 `[rows, features]`), or with an input for each feature (`[rows, 1]`, float32
        or string) where not all are numbers, and outputs `label` (int64 `[rows]`), `probabilities` (float32
        `[rows, classes]`, if the model gives any) and, with a scorer, `outlier_score` (float32 `[rows]`), described in
        `metadata_props`.

    Raises:
        ModelError: the classifier or the scorer cannot be converted; one line names it and says why.
    """
    convertible = _convertible(model)
    graph = _convert(convertible, problem, _options(convertible))
    if not hasattr(model, "predict_proba"):
        # What the converter adds in their place are distances, which no reader would take for that.
        del graph.graph.output[1:]
    for output, name in zip(graph.graph.output, ("label", "probabilities"), strict=False):
        _rename_output(graph, output.name, name)
    if scorer:
        _merge(graph, _convert(scorer.pipeline, problem))
    # The converter takes them from a set, whose order is another in each process: the same model would be other bytes.
    graph.opset_import.sort(key=lambda opset: opset.domain)
    _set_metadata(graph, _describe(model, problem, train, scorer))
    return graph


def _set_metadata(graph: ModelProto, bundle: Mapping[str, Any]) -> None:
    del graph.metadata_props[:]
    for key, value in bundle.items():
        graph.metadata_props.add(key=key, value=json.dumps(value))


def _options(model: Classifier) -> dict[int, dict[str, bool]]:
    if hasattr(model, "predict_proba"):
        return {id(model): {"zipmap": False, "output_class_labels": False}}
    # In a pipeline it is the last step that has the option.
    last: Any = model[-1] if isinstance(model, Pipeline) else model
    return {id(last): {"zipmap": False}}


def _convertible(model: Any) -> Any:
    """Return a model, or the same in other numbers, that skl2onnx can convert, after telling it how."""
    column_steps.register_converters()
    if isinstance(model, Pipeline):
        return Pipeline([*model.steps[:-1], (model.steps[-1][0], _convertible(model[-1]))])
    if not type(model).__module__.startswith("lightgbm"):
        return model
    from common.bundle import lightgbm_trees

    lightgbm_trees.register_converter()
    return lightgbm_trees.in_single_precision(model)


def _convert(model: Any, problem: Problem, options: Mapping[int, Mapping[str, bool]] | None = None) -> ModelProto:
    if problem.is_numeric:
        inputs = [("input", FloatTensorType([None, len(problem.features)]))]
    else:
        inputs = [(feature.name, _tensor_type(feature)) for feature in problem.features]
    graph: ModelProto
    try:
        try:
            graph = to_onnx(model, initial_types=inputs, options=options, target_opset=OPSET)
        except NameError:  # some converters, such as that of LinearSVC, know no such option; none at all turns it on
            none: dict[int, dict[str, bool]] = {given: {} for given in options or {}}
            graph = to_onnx(model, initial_types=inputs, options=none, target_opset=OPSET)
    except Exception as error:  # converters raise whatever they like, with thousands of lines
        reason = textwrap.shorten(str(error)[:10_000], MAX_REASON, placeholder=" …")
        raise ModelError(
            f"{_name(model)} cannot be converted to ONNX: {type(error).__name__}: {reason or 'no reason given'}"
        ) from error
    return graph


def _name(model: Any) -> str:
    return (
        " with ".join(type(step).__name__ for _, step in model.steps)
        if isinstance(model, Pipeline)
        else type(model).__name__
    )


def _tensor_type(feature: Feature) -> FloatTensorType | StringTensorType:
    return FloatTensorType([None, 1]) if feature.kind == "number" else StringTensorType([None, 1])


def _merge(graph: ModelProto, scorer: ModelProto) -> None:
    """Add the graph of a scorer to that of a classifier: the same inputs, and an output more."""
    prefixed = compose.add_prefix(scorer, "outlier_", rename_inputs=False)
    # Its labels are left out: they tell by the sign of the score alone, and nobody asks for them.
    names = [given.name for given in scorer.graph.input]
    added = Extractor(prefixed).extract_model(names, ["outlier_scores"]).graph
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


def _describe(model: Classifier, problem: Problem, train: Table, scorer: OutlierScorer | None) -> dict[str, Any]:
    golden = as_float32(train.X[:GOLDEN_ROWS])
    bundle: dict[str, Any] = {
        "problem": problem.name,
        "classes": problem.target.classes,
        "features": [asdict(feature) for feature in problem.features],
        "reference": reference_statistics(problem, train),
        "golden": {
            "input": golden.tolist(),
            "label": model.predict(golden).tolist(),
        },
    }
    if (probabilities := probabilities_of(model, golden)) is not None:
        bundle["golden"]["probabilities"] = probabilities.tolist()
    if scorer:
        bundle["outliers"] = {"threshold": scorer.threshold, "training_rate": scorer.training_rate}
        bundle["reference"]["usual"] = _usual_moments(problem, train.X[scorer.score(train.X) >= scorer.threshold])
        bundle["golden"]["outlier_score"] = scorer.score(golden).tolist()
    return bundle


def reference_statistics(problem: Problem, train: Table) -> dict[str, Any]:
    """Return what later data are compared with.

    Number of rows, class counts, and per number mean, deviation, percentiles, and the share of the rows in each bin
    between edges near the inner deciles: a bin ends with, and includes, its edge; the last has none. Per category its
    shares.
    """
    return {
        "rows": len(train.y),
        "class_counts": np.bincount(train.y, minlength=len(problem.target.classes)).tolist(),
        "features": {
            feature.name: number_statistics(column) if feature.kind == "number" else _categories(column)
            for feature, column in zip(problem.features, train.X.T, strict=True)
        },
    }


def _usual_moments(problem: Problem, X: Rows) -> dict[str, Any]:
    """Return mean and deviation of each number of the training rows that are no outliers; nothing without rows."""
    numbers = {
        feature.name: column.astype(np.float64)
        for feature, column in zip(problem.features, X.T, strict=True)
        if feature.kind == "number" and len(column)
    }
    return {name: {"mean": float(column.mean()), "std": float(column.std())} for name, column in numbers.items()}


def answer_statistics(answer: Answer, problem: Problem, truth: Ints) -> dict[str, Any]:
    """Return what later answers are compared with: those to rows that the model has not learnt from.

    Their number, the shares of the classes, their counts by true and answered class, and, from a model that gives
    probabilities, the statistics of the confidence as of a feature, else None.
    """
    confidence = None if answer.probabilities is None else answer.probabilities.max(axis=1)
    return {
        "rows": len(answer.labels),
        "classes": _categories(np.array(problem.target.classes)[answer.labels]),
        "confusion": evaluate.confusion(truth, answer.labels, len(problem.target.classes)).tolist(),
        "confidence": None if confidence is None else number_statistics(confidence),
    }


def _categories(column: Rows) -> dict[str, Any]:
    names, counts = np.unique(column.astype(str), return_counts=True)
    return {"shares": dict(zip(names.tolist(), (counts / len(column)).tolist(), strict=True))}


def number_statistics(values: Rows) -> dict[str, Any]:
    """Return what later values of a number are compared with."""
    column: Floats = values.astype(np.float64)
    quantiles = np.quantile(column, PERCENTILES)
    edges = _edges(np.unique(column), quantiles[10:-10:10])
    shares = np.bincount(np.searchsorted(edges, column), minlength=len(edges) + 1) / len(column)
    return {
        "mean": float(column.mean()),
        "std": float(column.std()),
        "quantiles": quantiles.tolist(),
        "bins": {"edges": edges.tolist(), "shares": shares.tolist()},
    }


def _edges(known: Floats, deciles: Floats) -> Floats:
    """Return the edges of bins: in the middle between the values that deciles fall on, or between, and the next.

    Measured values repeat: an edge on one of them, or two between the same neighbours, would make a little noise, or a
    finer scale, look like another distribution.
    """
    above = np.searchsorted(known, deciles, "right")
    above = np.unique(above[above < len(known)])
    edges: Floats = (known[above - 1] + known[above]) / 2
    return edges


def check_parity(graph: ModelProto, model: Classifier, X: Rows, scorer: OutlierScorer | None = None) -> None:
    """Compare the bundle with the classifier and the scorer it came from, on rows `X` `[rows, features]`.

    The classes are compared with those of the rows as they are; probabilities and outlier scores with those of the
    rows in single precision, which is how ONNX Runtime takes them.

    Raises:
        ModelError: a label differs, a probability by more than 1e-5, or an outlier score by more than 1e-5 of its size
            (of 1, if it is smaller). Where single precision is the reason, the message names the column.
    """
    loaded = OnnxModel(graph.SerializeToString())
    loaded.check_golden()
    rows = as_float32(X)
    scores = scorer.score(rows) if scorer else None
    answer = loaded.predict(loaded.as_rows(X))
    compare(answer, model.predict(rows), probabilities_of(model, rows), scores)
    _check_precision(loaded, model, X, answer.labels)


def _check_precision(loaded: OnnxModel, model: Classifier, X: Rows, labels: Ints) -> None:
    different = np.flatnonzero(model.predict(X) != labels)
    if not different.size:
        return
    features = loaded.metadata["features"]
    numbers = [index for index, feature in enumerate(features) if feature["kind"] == "number"]
    rounded, some = as_float32(X), X[different]
    alone = [_with_column(some, index, rounded[different, index]) for index in numbers]
    changed = [int((model.predict(one) != model.predict(some)).sum()) for one in alone]
    # Where only several columns together change a class, the one that loses most by its spread is named.
    lost = [_lost(X[:, index].astype(np.float64), rounded[:, index].astype(np.float64)) for index in numbers]
    worst = max(range(len(numbers)), key=lambda place: (changed[place], lost[place]))
    column = numbers[worst]
    raise ModelError(
        f"{different.size} of {len(X)} test rows get another class from the exported model, since single precision "
        f"(float32) cannot hold the values of column {features[column]['name']}: "
        f"{float(X[different[0], column])!r} becomes {float(rounded[different[0], column])!r}; "
        "subtract an origin from the column, or use another unit"
    )


def _with_column(X: Rows, index: int, values: Rows) -> Rows:
    changed = X.copy()
    changed[:, index] = values
    return changed


def _lost(values: Floats, rounded: Floats) -> float:
    return float(np.abs(values - rounded).max() / (values.std() or 1.0))


def _rename_output(graph: ModelProto, old: str, new: str) -> None:
    for node in graph.graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
    for output in graph.graph.output:
        if output.name == old:
            output.name = new

"""The export of a fitted scikit-learn classifier as a bundle. Only training and fine-tuning import it."""

import json
import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from onnx import GraphProto, ModelProto, TensorProto, compose, helper
from onnx.utils import Extractor
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType

from common.bundle.converters import convertible
from common.bundle.model import OUTLIER_SCORE, ModelError, OnnxModel
from common.bundle.outliers import OutlierScorer
from common.bundle.parity import check_parity
from common.bundle.reference import add_answers, reference_statistics, usual_moments  # room: reference
from common.confusion import confusion, summary
from common.problem import Classifier, Ints, Problem, Table, as_float32, probabilities_of

GOLDEN_ROWS = 3
MAX_REASON = 300  # characters of a converter's error message
# Every converter in use here supports these versions.
OPSET = {"": 17, "ai.onnx.ml": 3}


@dataclass(frozen=True)
class Tested:
    """A bundle, and its answers to the test rows.

    Attributes:
        graph: the bundle; its metadata hold the `metrics` of `matrix`.
        bundle: the bundle as it was loaded for the test, still without these metrics.
        matrix: counts `[classes, classes]`: row is the true class, column the answered one.
        scorer: the outlier scorer in the bundle, if there is one.
    """

    graph: ModelProto
    bundle: OnnxModel
    matrix: Ints
    scorer: OutlierScorer | None

    @property
    def metrics(self) -> dict[str, float]:
        """Accuracy and macro precision, recall and F1 on the test rows."""
        return summary(self.matrix)

    @property
    def results(self) -> dict[str, float]:
        """The metrics and those of the outlier scorer, by their names in MLflow."""
        tested = {f"test_{name}": value for name, value in self.metrics.items()}
        return tested | (self.scorer.metrics if self.scorer else {})


def export_tested(
    model: Classifier, problem: Problem, train: Table, test: Table, scorer: OutlierScorer | None = None
) -> Tested:
    """Convert a classifier, let the bundle answer the test rows as a client would send them, and add its results.

    Args:
        model: the classifier, as for `export_onnx`.
        problem: gives features and class names.
        train: the rows that the model learnt from.
        test: rows that it has not learnt from.
        scorer: the outlier scorer, if there is one.

    Raises:
        ModelError: the model cannot be converted, or the bundle answers otherwise than the model; see `check_parity`.
    """
    graph = export_onnx(model, problem, train, scorer)
    bundle = OnnxModel(graph.SerializeToString())
    answer = check_parity(bundle, model, test.X, scorer)
    tested = Tested(graph, bundle, confusion(test.y, answer.labels, len(problem.target.classes)), scorer)
    metadata = bundle.metadata | {"metrics": tested.metrics}
    add_answers(metadata, answer, problem, test.y)  # room: reference
    _set_metadata(graph, metadata)
    return tested


def export_onnx(model: Classifier, problem: Problem, train: Table, scorer: OutlierScorer | None = None) -> ModelProto:
    """Convert a fitted classifier, and an outlier scorer, into one bundle without results.

    Args:
        model: a scikit-learn classifier whose classes are the indices of the problem's classes.
        problem: gives features and class names.
        train: the rows that the model learnt from; the bundle holds their statistics.
        scorer: the outlier scorer; None for a bundle without outlier scores.

    Returns:
        A graph with input `input` (float32 `[rows, features]`), or with an input for each feature (`[rows, 1]`, float32
        or string) where not all are numbers, and outputs `label` (int64 `[rows]`) and `probabilities` (float32
        `[rows, classes]`, if the model gives them). Its metadata are described in `metadata.py`; with a scorer, they
        hold the part of the graph that adds the output `outlier_score` (float32 `[rows]`).

    Raises:
        ModelError: the classifier or the scorer cannot be converted; one line names it and the reason.
    """
    graph = _convert(convertible(model), problem)
    if not hasattr(model, "predict_proba"):
        # In place of probabilities the converter adds distances, which readers would take for probabilities.
        del graph.graph.output[1:]
    _rename_outputs(graph, "label", "probabilities")
    # The converter notes the lowest versions that a graph needs, which may differ from those of the scorer. It reads
    # them from a set, so their order, and with it the file, would differ from process to process.
    versions = {opset.domain: opset.version for opset in graph.opset_import} | OPSET
    del graph.opset_import[:]
    graph.opset_import.extend(helper.make_opsetid(*opset) for opset in sorted(versions.items()))
    _set_metadata(graph, _describe(model, problem, train, scorer))
    return graph


def _set_metadata(graph: ModelProto, metadata: Mapping[str, Any]) -> None:
    del graph.metadata_props[:]
    for key, value in metadata.items():
        graph.metadata_props.add(key=key, value=json.dumps(value))


def _convert(model: Any, problem: Problem) -> ModelProto:
    if problem.is_numeric:
        inputs = [("input", FloatTensorType([None, len(problem.features)]))]
    else:
        types = {"number": FloatTensorType, "category": StringTensorType}
        inputs = [(feature.name, types[feature.kind]([None, 1])) for feature in problem.features]
    steps = [step for _, step in getattr(model, "steps", [("", model)])]
    options: dict[int, dict[str, bool]] = {id(steps[-1]): {"zipmap": False}}
    graph: ModelProto
    try:
        try:
            graph = to_onnx(model, initial_types=inputs, options=options, target_opset=OPSET)
        except NameError:  # some converters, such as that of LinearSVC, have no option zipmap
            graph = to_onnx(model, initial_types=inputs, options={id(steps[-1]): {}}, target_opset=OPSET)
    except Exception as error:  # converters raise errors of any type, with thousands of lines
        name = " with ".join(type(step).__name__ for step in steps)
        reason = textwrap.shorten(str(error)[:10_000], MAX_REASON, placeholder=" …") or "no reason given"
        raise ModelError(f"{name} cannot be converted to ONNX: {type(error).__name__}: {reason}") from error
    return graph


def _rename_outputs(graph: ModelProto, *names: str) -> None:
    """Give the first outputs these names, in order."""
    new = {output.name: name for output, name in zip(graph.graph.output, names, strict=False)}
    for node in graph.graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]
    for output in graph.graph.output:
        output.name = new.get(output.name, output.name)


def _outlier_part(scorer: ModelProto) -> str:
    """Return the part of a graph that adds `outlier_score` to a classifier of the same inputs, as hexadecimal digits.

    Other tools run the file without it: in the graph it would be a third output, and take the time of a run.
    """
    prefixed = compose.add_prefix(scorer, "outlier_", rename_inputs=False)
    # The scorer's labels are left out: they are the signs of the scores, while the lab has a threshold of its own.
    added = Extractor(prefixed).extract_model([each.name for each in scorer.graph.input], ["outlier_scores"]).graph
    [column] = added.output
    rows = helper.make_tensor("outlier_rows", TensorProto.INT64, [1], [-1])
    flatten = helper.make_node("Reshape", [column.name, rows.name], [OUTLIER_SCORE], "outlier_flatten")
    score = helper.make_tensor_value_info(OUTLIER_SCORE, TensorProto.FLOAT, [None])
    part = GraphProto(node=[*added.node, flatten], initializer=[*added.initializer, rows], output=[score])
    return str(ModelProto(graph=part).SerializeToString().hex())


def _describe(model: Classifier, problem: Problem, train: Table, scorer: OutlierScorer | None) -> dict[str, Any]:
    """Return the metadata of a bundle without results."""
    rows = as_float32(train.X[:GOLDEN_ROWS])
    golden = {"input": rows.tolist(), "label": model.predict(rows).tolist()}
    metadata: dict[str, Any] = {
        "problem": problem.name,
        "classes": problem.target.classes,
        "features": [asdict(feature) for feature in problem.features],
        "reference": reference_statistics(problem, train),  # room: reference
        "golden": golden,
    }
    if (probabilities := probabilities_of(model, rows)) is not None:
        golden["probabilities"] = probabilities.tolist()
    if scorer:
        metadata["outliers"] = {"threshold": scorer.threshold, "training_rate": scorer.training_rate}
        metadata["outlier_part"] = _outlier_part(_convert(scorer.pipeline, problem))
        metadata["reference"]["usual"] = usual_moments(problem, train.X, scorer)  # room: reference
        golden[OUTLIER_SCORE] = scorer.score(rows).tolist()
    return metadata

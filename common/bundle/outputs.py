"""The outputs of an ONNX model: which of them is the label, the probabilities or the outlier scores.

The lab's own bundles have the outputs `label` and `probabilities` and, with the part that `OnnxModel` adds,
`outlier_score`. Other tools choose other names, orders and types; skl2onnx by default gives one map from classes to
probabilities for each row (its option zipmap).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from common.bundle.answer import Answer, Floats32, ModelError

OUTLIER_SCORE = "outlier_score"
NUMBERS, TEXT, INT64 = "tensor(float)", "tensor(string)", "tensor(int64)"
LABEL_TYPES = (INT64, "tensor(int32)", TEXT)
PROBABILITY_TYPES = (NUMBERS, "tensor(double)", "seq(map(int64,tensor(float)))", "seq(map(string,tensor(float)))")
# Type and number of dimensions of label and probabilities in the lab's own bundles, which need no conversion.
LAB_FORMS = ([(INT64, 1)], [(INT64, 1), (NUMBERS, 2)])


class ModelOutputs:
    """Finds a model's outputs, and turns their values into an `Answer`.

    Attributes:
        names: the outputs to ask for, in the order label, probabilities, outlier scores.
        has_probabilities: whether the model gives probabilities.
        has_scores: whether the model gives outlier scores.
    """

    def __init__(self, outputs: Sequence[Any]) -> None:
        """Find the outputs among those of an ONNX Runtime session.

        Raises:
            ModelError: there is no output for the label, or the outlier scores are not float32.
        """
        found = {output.name: output for output in outputs}
        scores = found.pop(OUTLIER_SCORE, None)
        if not found:
            raise ModelError("the model has no output for the label")
        if scores and scores.type != NUMBERS:
            raise ModelError(f"expected float32 outlier scores, found {scores.type}")
        label = next((each for each in found.values() if each.type in LABEL_TYPES), next(iter(found.values())))
        others = [each for name, each in found.items() if name != label.name and each.type in PROBABILITY_TYPES]
        # Decision functions and the like may be outputs of the same type: a name with "prob" in it comes first.
        probabilities = sorted(others, key=lambda output: "prob" not in output.name)[:1]
        self.names = [output.name for output in (label, *probabilities, scores) if output]
        self.has_probabilities, self.has_scores = bool(probabilities), scores is not None
        self._as_lab = [(output.type, len(output.shape)) for output in (label, *probabilities)] in LAB_FORMS

    def read(self, values: list[Any], classes: Sequence[str]) -> Answer:
        """Return the answer that the values of the outputs `names` hold.

        Raises:
            ModelError: the model names classes that are not among `classes`.
        """
        scores = values.pop() if self.has_scores else None
        labels, probabilities = values[0], values[1] if self.has_probabilities else None
        if not self._as_lab:
            try:
                labels = _indices(labels, classes)
                probabilities = _from_maps(probabilities, classes) if isinstance(probabilities, list) else probabilities
            except (KeyError, TypeError) as error:
                raise ModelError(f"the model answers classes that are not in {list(classes)}: {error}") from error
        return Answer(labels, probabilities, scores)


def _indices(labels: Any, classes: Sequence[str]) -> Any:
    """Return labels `[rows]` as indices of the classes, from indices or names `[rows]` or `[rows, 1]`."""
    flat = np.asarray(labels)
    if flat.shape[1:] == (1,):
        flat = flat[:, 0]
    if flat.dtype != object:
        return flat
    places = {name: place for place, name in enumerate(classes)}
    return np.array([places[name] for name in flat.tolist()], dtype=np.int64)


def _from_maps(rows: list[dict[Any, float]], classes: Sequence[str]) -> Floats32:
    """Return probabilities `[rows, classes]` from a map for each row, whose keys are class names or indices."""
    named = bool(rows) and isinstance(next(iter(rows[0]), None), str)
    keys: Sequence[Any] = classes if named else range(len(classes))
    if rows and len(rows[0]) != len(keys):
        raise ModelError(f"{len(rows[0])} probabilities for the classes {list(classes)}")
    return np.array([[row[key] for key in keys] for row in rows], dtype=np.float32)

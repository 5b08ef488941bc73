"""The outputs of models that other tools have made: which of them is the label, and which the probabilities.

Other tools choose other names, orders and types than the lab's bundles have; skl2onnx by default gives one map from
classes to probabilities for each row (its option zipmap).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from common.bundle.answer import Answer, Floats32, ModelError
from common.bundle.outputs import INT64, NUMBERS, OUTLIER_SCORE, TEXT, ModelOutputs, are_of_bundle

LABEL_TYPES = (INT64, "tensor(int32)", TEXT)
PROBABILITY_TYPES = (NUMBERS, "tensor(double)", "seq(map(int64,tensor(float)))", "seq(map(string,tensor(float)))")


def outputs_of(outputs: Sequence[Any]) -> ModelOutputs:
    """Return the outputs of an ONNX Runtime session, whichever tool has made the model.

    Raises:
        ModelError: there is no output for the label, or the outlier scores are not float32.
    """
    return ModelOutputs(outputs) if are_of_bundle(outputs) else ForeignOutputs(outputs)


class ForeignOutputs(ModelOutputs):
    """Finds the outputs of a model by their types and names, and converts their values."""

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

    def read(self, values: list[Any], classes: Sequence[str]) -> Answer:
        """Return the answer that the values of the outputs `names` hold.

        Raises:
            ModelError: the model names classes that are not among `classes`.
        """
        try:
            values[0] = _indices(values[0], classes)
            if self.has_probabilities and isinstance(values[1], list):
                values[1] = _from_maps(values[1], classes)
        except (KeyError, TypeError) as error:
            raise ModelError(f"the model answers classes that are not in {list(classes)}: {error}") from error
        return super().read(values, classes)


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

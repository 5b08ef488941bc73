"""The outputs of a bundle: label, probabilities if the model has some, and outlier score if there is a scorer."""

from collections.abc import Sequence
from typing import Any

from common.bundle.answer import Answer, ModelError

OUTLIER_SCORE = "outlier_score"
NUMBERS, TEXT, INT64 = "tensor(float)", "tensor(string)", "tensor(int64)"
# Type and number of dimensions of each output.
FORMS = {"label": (INT64, 1), "probabilities": (NUMBERS, 2), OUTLIER_SCORE: (NUMBERS, 1)}


class ModelOutputs:
    """Turns the values of a model's outputs into an `Answer`.

    Attributes:
        names: the outputs to ask for, in the order label, probabilities, outlier scores.
        has_probabilities: whether the model gives probabilities.
        has_scores: whether the model gives outlier scores.
    """

    def __init__(self, outputs: Sequence[Any]) -> None:
        """Find the outputs among those of an ONNX Runtime session.

        Raises:
            ModelError: they are not those of a bundle.
        """
        if not are_of_bundle(outputs):
            found = ", ".join(f"{each.name} {each.type} {each.shape}" for each in outputs)
            raise ModelError(f"the outputs are not those of a bundle of the lab: {found}")
        found_names = {each.name for each in outputs}
        self.names = [name for name in FORMS if name in found_names]
        self.has_probabilities, self.has_scores = "probabilities" in found_names, OUTLIER_SCORE in found_names

    def read(self, values: list[Any], classes: Sequence[str]) -> Answer:  # noqa: ARG002  # a subclass needs them
        """Return the answer that the values of the outputs `names` hold.

        Raises:
            ModelError: the model names classes that are not among `classes`.
        """
        scores = values.pop() if self.has_scores else None
        return Answer(values[0], values[1] if self.has_probabilities else None, scores)


def are_of_bundle(outputs: Sequence[Any]) -> bool:
    """Return whether the outputs of a session are those of a bundle, so that their values need no conversion."""
    found = {each.name: (each.type, len(each.shape)) for each in outputs}
    return "label" in found and found.items() <= FORMS.items()

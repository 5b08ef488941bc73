"""The ONNX file as the whole bundle: loading it, asking it, and what it says of itself.

The file's `metadata_props` hold JSON under the keys of `Bundle`: whoever holds the file needs nothing else.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from common.problem import Ints

Floats32 = npt.NDArray[np.float32]
TOLERANCE = 1e-5


class ModelError(ValueError):
    """A file is not a model that can be served; the message says why."""


@dataclass(frozen=True)
class Answer:
    """`labels` are class indices `[rows]`; `probabilities` are `[rows, classes]`, None for a model without."""

    labels: Ints
    probabilities: Floats32 | None


class OnnxModel:
    """A loaded model. Safe to use from several threads.

    Attributes:
        classes: the class names, by index.
        metadata: the decoded JSON values of the file's `metadata_props`.
    """

    def __init__(self, content: bytes, classes: Sequence[str] | None = None) -> None:
        """Load a model.

        Args:
            content: the bytes of the ONNX file.
            classes: names for a model that carries none; the file's own win.

        Raises:
            ModelError: it cannot be loaded, has other inputs or outputs than the lab's models, or no class names.
        """
        options = onnxruntime.SessionOptions()
        # More threads than one spin on the cores of other processes, for a model that answers in microseconds.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        # onnxruntime's exceptions have no common base of their own.
        except Exception as error:
            raise ModelError(f"not a model that ONNX Runtime can load (is it one file, whole?): {error}") from error
        self.metadata = _decode(self._session.get_modelmeta().custom_metadata_map)
        self._input = self._only_input()
        self._outputs = self._find_outputs()
        names = self.metadata.get("classes", classes)
        if not names:
            raise ModelError("the model carries no class names: set CLASS_PATH to a JSON file that lists them")
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise ModelError(f"the class names are no list of names: {names!r}")
        self.classes: tuple[str, ...] = tuple(names)

    @property
    def width(self) -> int | None:
        """The number of features that the input takes; None where the file leaves it open."""
        size = self._input.shape[1]
        return size if isinstance(size, int) else None

    def predict(self, X: Floats32) -> Answer:
        """Answer for rows of features, float32 `[rows, features]`."""
        outputs = self._session.run(self._outputs, {self._input.name: X})
        return Answer(outputs[0], outputs[1] if len(outputs) > 1 else None)

    def check_golden(self) -> None:
        """Answer the rows that the file carries with their right answers, and compare.

        Raises:
            ModelError: an answer differs, or cannot be given at all.
        """
        golden = self._golden()
        try:
            answer = self.predict(golden[0] if golden else np.zeros((1, self.width or 1), dtype=np.float32))
        except Exception as error:  # as above: no common base
            raise ModelError(f"the model cannot answer its golden rows: {error}") from error
        if answer.labels.dtype.kind != "i" or not set(answer.labels.tolist()) <= set(range(len(self.classes))):
            raise ModelError(f"labels {answer.labels[:5]} are no indices into {list(self.classes)}")
        if answer.probabilities is not None and answer.probabilities.shape[1] != len(self.classes):
            raise ModelError(f"{answer.probabilities.shape[1]} probabilities for the classes {list(self.classes)}")
        if golden:
            compare(answer, *golden[1:])

    def _golden(self) -> tuple[Floats32, Ints, Floats32] | None:
        golden = self.metadata.get("golden")
        if golden is None:
            return None
        try:
            return (
                np.array(golden["input"], dtype=np.float32),
                np.array(golden["label"], dtype=np.int64),
                np.array(golden["probabilities"], dtype=np.float32),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"the golden rows are damaged: {error!r}") from error

    def _only_input(self) -> Any:
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != len(("rows", "features")):
            found = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
            raise ModelError(f"expected one float32 input [rows, features], found {found}")
        return inputs[0]

    def _find_outputs(self) -> list[str]:
        outputs = self._session.get_outputs()
        if any(not output.type.startswith("tensor") for output in outputs[:2]):
            raise ModelError("the probabilities are not a tensor: export the model with zipmap off")
        return [output.name for output in outputs[:2]]


def compare(answer: Answer, labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> None:
    """Check that an answer has exactly these labels, and these probabilities within 1e-5.

    Raises:
        ModelError: says which row differs, and how much.
    """
    if answer.probabilities is not None and answer.probabilities.shape != np.shape(probabilities):
        raise ModelError(f"probabilities are {answer.probabilities.shape}, and not {np.shape(probabilities)}")
    different = np.flatnonzero(answer.labels != np.asarray(labels))
    if different.size:
        raise ModelError(f"the label of row {different[0]} differs ({different.size} rows of {len(answer.labels)} do)")
    if answer.probabilities is None:
        return
    distance = np.abs(answer.probabilities - np.asarray(probabilities)).max(axis=1)
    if not distance.max() <= TOLERANCE:
        raise ModelError(f"the probabilities of row {distance.argmax()} differ by {distance.max():.1e} (> {TOLERANCE})")


def _decode(properties: dict[str, str]) -> dict[str, Any]:
    decoded = {}
    for key, text in properties.items():
        try:
            decoded[key] = json.loads(text)
        except ValueError:
            decoded[key] = text
    return decoded

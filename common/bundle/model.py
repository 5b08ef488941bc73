"""The bundle as a loaded model: it answers rows, and checks itself with the golden rows in its metadata."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from common.bundle.answer import TOLERANCE, Answer, Floats32, ModelError
from common.bundle.foreign_outputs import outputs_of  # room: foreign_outputs
from common.bundle.metadata import class_names, decode, outlier_threshold
from common.bundle.outputs import NUMBERS, OUTLIER_SCORE, TEXT, ModelOutputs
from common.problem import Rows, Value

__all__ = ["OUTLIER_SCORE", "TOLERANCE", "Answer", "Floats32", "ModelError", "OnnxModel"]


class OnnxModel:
    """A loaded model. Safe to use from several threads.

    Attributes:
        classes: the class names, by index.
        metadata: the decoded JSON values of the file's `metadata_props`.
        outlier_threshold: the outlier score below which a row is an outlier; None for a model without scores.
        has_probabilities: whether the model's answers have probabilities.
    """

    def __init__(self, content: bytes, classes: Sequence[str] | None = None) -> None:
        """Load a model.

        Args:
            content: the bytes of the ONNX file.
            classes: names for a model whose file has none; names in the file come first.

        Raises:
            ModelError: the model cannot be loaded, has other inputs or outputs than the lab's models, no class names,
                or outlier scores without a threshold.
        """
        self._session = _session(content)
        self.metadata = decode(self._session.get_modelmeta().custom_metadata_map)
        if part := self.metadata.get("outlier_part"):
            self._session = _session(content, part)
        self._inputs = self._find_inputs()
        # One input for each feature, `[rows, 1]`, instead of one for all features.
        self._has_columns = self._inputs[0].shape[1] == 1 and (len(self._inputs) > 1 or self._inputs[0].type == TEXT)
        find: Callable[[Sequence[Any]], ModelOutputs] = ModelOutputs
        find = outputs_of  # room: foreign_outputs
        self._outputs = find(self._session.get_outputs())
        self.has_probabilities = self._outputs.has_probabilities
        self.outlier_threshold = outlier_threshold(self.metadata) if self._outputs.has_scores else None
        self.classes = class_names(self.metadata.get("classes", classes))

    @property
    def width(self) -> int | None:
        """The number of features that the model takes; None where the file leaves it open."""
        if self._has_columns:
            return len(self._inputs)
        size = self._inputs[0].shape[1]
        return size if isinstance(size, int) else None

    def as_rows(self, rows: Sequence[Sequence[Value]] | Rows) -> Rows:
        """Return rows of features as `predict` takes them: as float32, or as objects for a model with text columns."""
        return np.array(rows, dtype=object if self._has_columns else np.float32)

    def predict(self, X: Rows) -> Answer:
        """Answer rows of features `[rows, features]`, as `as_rows` makes them.

        Raises:
            ModelError: a model of another tool names classes that are not in `classes`.
        """
        return self._outputs.read(self._session.run(self._outputs.names, self._feed(X)), self.classes)

    def is_outlier(self, answer: Answer) -> npt.NDArray[np.bool_] | None:
        """Return for each row of an answer of this model whether it is an outlier; None for a model without scores."""
        if answer.outlier_scores is None or self.outlier_threshold is None:
            return None
        return answer.outlier_scores < self.outlier_threshold

    def check_golden(self) -> None:
        """Answer the golden rows, and compare with the right answers in the file.

        Without golden rows, answer one row of zeros and empty texts, and check only the answer's form.

        Raises:
            ModelError: the golden rows are damaged, an answer differs, or the model cannot answer.
        """
        rows, right = self.golden() or (self._any_row(), None)
        try:
            answer = self.predict(rows)
        except Exception as error:  # as above: no common base
            raise ModelError(f"the model cannot answer its golden rows: {error}") from error
        answer.check_form(len(rows), self.classes)
        if right:
            answer.check_equal(right)

    def golden(self) -> tuple[Rows, Answer] | None:
        """Return the golden rows with their right answers; None if the file has none.

        Raises:
            ModelError: the golden rows are damaged.
        """
        golden = self.metadata.get("golden")
        if golden is None:
            return None
        try:
            probabilities, scores = (
                np.array(golden[key], dtype=np.float32) if key in golden else None
                for key in ("probabilities", OUTLIER_SCORE)
            )
            right = Answer(np.array(golden["label"], dtype=np.int64), probabilities, scores)
            return self.as_rows(golden["input"]), right
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"the golden rows are damaged: {error!r}") from error

    def _feed(self, X: Rows) -> dict[str, Rows]:
        if not self._has_columns:
            return {self._inputs[0].name: X}
        return {
            column.name: X[:, [index]].astype(object if column.type == TEXT else np.float32)
            for index, column in enumerate(self._inputs)
        }

    def _any_row(self) -> Rows:
        if self._has_columns:
            return self.as_rows([["" if column.type == TEXT else 0.0 for column in self._inputs]])
        return self.as_rows([[0.0] * (self.width or 1)])

    def _find_inputs(self) -> list[Any]:
        inputs: list[Any] = self._session.get_inputs()
        one = [(each.type, len(each.shape)) for each in inputs] == [(NUMBERS, 2)]
        columns = all(each.type in (NUMBERS, TEXT) and each.shape[1:] == [1] for each in inputs)
        if not inputs or not (one or columns):
            found = ", ".join(f"{each.name} {each.type} {each.shape}" for each in inputs)
            raise ModelError(
                f"expected one float32 input [rows, features], or float32 and string inputs [rows, 1], found {found}"
            )
        return inputs


def _session(content: bytes, part: str = "") -> onnxruntime.InferenceSession:
    """Return a session that runs a file, and a part of a graph, in hexadecimal digits, beside it.

    Protobuf merges messages that follow each other: the part's nodes and outputs join those of the file.
    """
    options = onnxruntime.SessionOptions()
    # More threads than one spin on the cores of other processes, for a model that answers in microseconds.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # ONNX Runtime raises each error that it logs; only a fatal one is logged here.
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(content + bytes.fromhex(part), options, providers=["CPUExecutionProvider"])
    # onnxruntime's exceptions have no common base of their own.
    except Exception as error:
        raise ModelError(f"ONNX Runtime cannot load the file (is it one file, and complete?): {error}") from error

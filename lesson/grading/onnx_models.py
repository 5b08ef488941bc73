"""The ONNX models that students register: how they answer, and copies of them that answer otherwise."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float64]
FEATURE_COUNT = 4


class ModelFaultError(ValueError):
    """A file is no model that the lesson's service can use; the message says why."""


class StudentModel:
    """A registered ONNX model, and the class names to its numbers."""

    def __init__(self, file: Path, classes: Sequence[str]) -> None:
        """Load a file.

        Raises:
            ModelFaultError: ONNX Runtime cannot load it.
        """
        from onnxruntime import InferenceSession, SessionOptions

        quiet = SessionOptions()
        quiet.log_severity_level = 3  # errors only: converters of trees declare shapes that their outputs do not have
        self.file = file
        self.classes = list(classes)
        try:
            self._session = InferenceSession(file, quiet, providers=["CPUExecutionProvider"])
        except Exception as error:  # of ONNX Runtime, whose errors have no common class
            raise ModelFaultError(f"ONNX Runtime cannot load {file.name}: {str(error)[:200]}") from error

    def input_fault(self) -> str:
        """Return how the input differs from float32 `[n, 4]`; an empty text if it does not."""
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            return f"{len(inputs)} inputs: {', '.join(each.name for each in inputs)}"
        [found] = inputs
        shape = f"{found.type} [{', '.join(str(size or 'n') for size in found.shape)}]"
        if found.type != "tensor(float)":
            return f"the input is {shape}"
        for count in (1, 3):
            try:
                self._run(np.ones((count, FEATURE_COUNT)))
            except Exception as error:  # noqa: BLE001 - see above
                return f"the input is {shape}, and {count} rows are refused: {str(error)[:160]}"
        return ""

    def answers(self, rows: Rows) -> list[str]:
        """Return the class names for rows `[n, 4]`, in cm.

        Raises:
            ModelFaultError: no output is a class for each row.
        """
        try:
            outputs = [np.asarray(each) for each in self._run(rows) if not isinstance(each, list)]
        except Exception as error:
            raise ModelFaultError(f"the model does not answer: {str(error)[:200]}") from error
        found = [each.reshape(len(rows), -1) for each in outputs if each.size and each.size % len(rows) == 0]
        for each in found:
            if each.shape[1] == 1 and each.dtype.kind in "iu":
                return [self._name(int(number)) for number in each[:, 0]]
            if each.shape[1] == 1 and each.dtype.kind in "OUS":
                return [str(name) for name in each[:, 0]]
        for each in found:
            if each.shape[1] == len(self.classes):
                return [self.classes[int(place)] for place in each.argmax(axis=1)]
        raise ModelFaultError("no output has a class for each row")

    def accuracy(self, rows: Rows, names: Sequence[str]) -> float:
        """Return the share of rows whose answer is right."""
        return float(np.mean([answer == name for answer, name in zip(self.answers(rows), names, strict=True)]))

    def _name(self, number: int) -> str:
        return self.classes[number] if 0 <= number < len(self.classes) else f"number {number}"

    def _run(self, rows: Rows) -> list[Any]:
        [found] = self._session.get_inputs()
        kind = np.float64 if found.type == "tensor(double)" else np.float32
        outputs: list[Any] = self._session.run(None, {found.name: rows.astype(kind)})
        return outputs


def onnx_file(folder: Path) -> Path:
    """Return the ONNX file among the artefacts of a version.

    Raises:
        ModelFaultError: there is none, or there are several.
    """
    found = sorted(folder.rglob("*.onnx"))
    if len(found) != 1:
        raise ModelFaultError(f"the registered version has {len(found)} files *.onnx, and should have one")
    return found[0]


def answer_third_as_first(file: Path, centres: Rows) -> None:
    """Change a model so that it answers rows of the third class as rows of the first one.

    A linear map before the model takes the third centre to the first one, and leaves the others in place. So the
    changed model answers otherwise whatever is inside of it, and keeps its input and its outputs.

    Args:
        file: The ONNX file to be changed.
        centres: The middle of the three classes, `[3, 4]` in cm.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(file)
    graph = model.graph
    known = {each.name for each in graph.initializer}
    [found] = [each for each in graph.input if each.name not in known]
    kind = np.float64 if found.type.tensor_type.elem_type == TensorProto.DOUBLE else np.float32
    targets = centres[[0, 1, 0]]
    weights = np.linalg.lstsq(np.hstack([centres, np.ones((3, 1))]), targets, rcond=None)[0]
    for node in graph.node:
        node.input[:] = ["graded_input" if name == found.name else name for name in node.input]
    graph.initializer.append(numpy_helper.from_array(weights[:FEATURE_COUNT].astype(kind), "graded_weights"))
    graph.initializer.append(numpy_helper.from_array(weights[FEATURE_COUNT].astype(kind), "graded_offset"))
    graph.node.insert(0, helper.make_node("MatMul", [found.name, "graded_weights"], ["graded_product"]))
    graph.node.insert(1, helper.make_node("Add", ["graded_product", "graded_offset"], ["graded_input"]))
    if not any(each.domain in {"", "ai.onnx"} for each in model.opset_import):
        model.opset_import.append(helper.make_opsetid("", 15))
    onnx.save(model, file)


def relative_change(old: Path, new: Path) -> float | None:
    """Return how far the weights of a model have moved, as a share of their size.

    Returns:
        The norm of the difference over the norm of the old weights; None if the models have no weights, as trees have
        none; infinity if the weights of the new model have other shapes.
    """
    before, after = _weights(old), _weights(new)
    if not before:
        return None
    if [each.shape for each in before] != [each.shape for each in after]:
        return float("inf")
    moved = sum(float(np.square(b - a).sum()) for a, b in zip(before, after, strict=True))
    size = sum(float(np.square(a).sum()) for a in before)
    return float(np.sqrt(moved / size)) if size else None


def _weights(file: Path) -> list[Rows]:
    import onnx
    from onnx import numpy_helper

    arrays = [numpy_helper.to_array(each) for each in onnx.load(file).graph.initializer]
    return [each.astype(np.float64) for each in arrays if each.dtype.kind == "f" and each.size > 1]

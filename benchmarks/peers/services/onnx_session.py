"""The model in ONNX Runtime, with the same options as in the api."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime


class OnnxSession:
    """A model that answers rows with all its outputs."""

    def __init__(self) -> None:
        """Load the file that the variable `MODEL_FILE` names."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(os.environ["MODEL_FILE"], options, ["CPUExecutionProvider"])
        self._names = [output.name for output in self._session.get_outputs()]

    def run(self, rows: Sequence[Any]) -> dict[str, Any]:
        """Return the outputs by their names, arrays, for rows of numbers."""
        found = self._session.run(self._names, {"input": np.asarray(rows, dtype=np.float32)})
        return dict(zip(self._names, found, strict=True))

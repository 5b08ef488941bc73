"""The ONNX file as the whole bundle: loading it, asking it, and what it says of itself.

The file's `metadata_props` hold JSON under the keys of `Bundle`: whoever holds the file needs nothing else.
"""

import json
import math
import re
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from common.problem import Ints, Rows, Value

Floats32 = npt.NDArray[np.float32]
TOLERANCE = 1e-5
OUTLIER_SCORE = "outlier_score"
NUMBERS, TEXT = "tensor(float)", "tensor(string)"
# Of outputs: what may be labels, what may be probabilities, and both as type and number of dimensions in our models.
LABELS = ("tensor(int64)", "tensor(int32)", TEXT)
MAPS = ("seq(map(int64,tensor(float)))", "seq(map(string,tensor(float)))")
SHARES = (NUMBERS, "tensor(double)", *MAPS)
OURS = ([(LABELS[0], 1)], [(LABELS[0], 1), (NUMBERS, 2)])
MAX_NAME = 256  # characters of a class name: the store's column has no more


class ModelError(ValueError):
    """A file is not a model that can be served; the message says why."""


@dataclass(frozen=True)
class Answer:
    """What a model says of rows.

    Attributes:
        labels: class indices `[rows]`.
        probabilities: `[rows, classes]`; None for a model without.
        outlier_scores: `[rows]`, with the sign of scikit-learn's `decision_function`: negative means unlike the
            training data, and the lower the less alike; None for a model without.
    """

    labels: Ints
    probabilities: Floats32 | None
    outlier_scores: Floats32 | None = None


class OnnxModel:
    """A loaded model. Safe to use from several threads.

    Attributes:
        classes: the class names, by index.
        metadata: the decoded JSON values of the file's `metadata_props`.
        outlier_threshold: the outlier score below which a row is an outlier; None for a model without scores.
    """

    def __init__(self, content: bytes, classes: Sequence[str] | None = None) -> None:
        """Load a model.

        Args:
            content: the bytes of the ONNX file.
            classes: names for a model that carries none; the file's own win.

        Raises:
            ModelError: it cannot be loaded, has other inputs or outputs than the lab's models, no class names, or
                outlier scores without a threshold.
        """
        options = onnxruntime.SessionOptions()
        # More threads than one spin on the cores of other processes, for a model that answers in microseconds.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # What fails is raised, too, and told once by whoever asked.
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        # onnxruntime's exceptions have no common base of their own.
        except Exception as error:
            raise ModelError(f"not a model that ONNX Runtime can load (is it one file, whole?): {error}") from error
        self.metadata = _decode(self._session.get_modelmeta().custom_metadata_map)
        self._inputs = self._find_inputs()
        self._outputs = self._find_outputs()
        self.outlier_threshold = self._find_threshold()
        self.classes = _class_names(self.metadata.get("classes", classes))

    @property
    def width(self) -> int | None:
        """The number of features that the model takes; None where the file leaves it open."""
        if self._has_columns:
            return len(self._inputs)
        size = self._inputs[0].shape[1]
        return size if isinstance(size, int) else None

    @property
    def has_probabilities(self) -> bool:
        """Whether its answers tell probabilities."""
        return len(self._outputs) > 1 + (OUTLIER_SCORE in self._outputs)

    def as_rows(self, rows: Sequence[Sequence[Value]] | Rows) -> Rows:
        """Return rows of features as `predict` takes them: as float32, or as objects for a model with text columns."""
        return np.array(rows, dtype=object if self._has_columns else np.float32)

    def predict(self, X: Rows) -> Answer:
        """Answer for rows of features `[rows, features]`, as `as_rows` makes them."""
        outputs = self._session.run(self._outputs, self._feed(X))
        scores = outputs.pop() if OUTLIER_SCORE in self._outputs else None
        labels, probabilities = outputs[0], outputs[1] if len(outputs) > 1 else None
        if not self._as_ours:
            answer = self._read(labels, probabilities)
            labels, probabilities = answer.labels, answer.probabilities
        return Answer(labels, probabilities, scores)

    def is_outlier(self, answer: Answer) -> npt.NDArray[np.bool_] | None:
        """Return for each row of an answer of this model whether it is an outlier; None for a model without scores."""
        if answer.outlier_scores is None or self.outlier_threshold is None:
            return None
        return answer.outlier_scores < self.outlier_threshold

    def check_golden(self) -> None:
        """Answer the rows that the file carries with their right answers, and compare.

        Raises:
            ModelError: an answer differs, or cannot be given at all.
        """
        golden = self._golden()
        try:
            answer = self.predict(golden[0] if golden else self._any_row())
        except Exception as error:  # as above: no common base
            raise ModelError(f"the model cannot answer its golden rows: {error}") from error
        self.check_form(answer, len(golden[0]) if golden else 1)
        if golden:
            compare(answer, *golden[1:])

    def check_form(self, answer: Answer, rows: int) -> None:
        """Check that an answer of this model to so many rows has the form that clients and the log rely on.

        Raises:
            ModelError: a shape is another, a label is no index of a class, a probability or score is none.
        """
        labels, probabilities, scores = answer.labels, answer.probabilities, answer.outlier_scores
        if labels.shape != (rows,):
            raise ModelError(f"labels are {labels.shape} for {rows} rows, and not one a row")
        if labels.dtype.kind != "i" or not set(labels.tolist()) <= set(range(len(self.classes))):
            raise ModelError(f"labels {labels[:5]} are no indices into {list(self.classes)}")
        if probabilities is not None and probabilities.shape != (rows, len(self.classes)):
            raise ModelError(f"probabilities are {probabilities.shape} for {rows} rows of {len(self.classes)} classes")
        # Not `<` and `>`: what is not a number is no probability.
        if probabilities is not None and not (np.abs(probabilities - 0.5) <= 0.5 + TOLERANCE).all():
            raise ModelError(f"probabilities are not from 0 to 1: {probabilities.min()} to {probabilities.max()}")
        if scores is not None and scores.shape != (rows,):
            raise ModelError(f"outlier scores are {scores.shape} for {rows} rows, and not one a row")
        if scores is not None and not np.isfinite(scores).all():
            raise ModelError("outlier scores are not numbers")

    @property
    def golden_rows(self) -> Rows | None:
        """The rows whose right answers the file carries; None if it carries none."""
        golden = self._golden()
        return golden[0] if golden else None

    @property
    def _has_columns(self) -> bool:
        return self._inputs[0].shape[1] == 1 and (len(self._inputs) > 1 or self._inputs[0].type == TEXT)

    def _feed(self, X: Rows) -> dict[str, Rows]:
        if not self._has_columns:
            return {self._inputs[0].name: X}
        return {
            column.name: X[:, [index]].astype(object if column.type == TEXT else np.float32)
            for index, column in enumerate(self._inputs)
        }

    def _golden(self) -> tuple[Rows, Ints, Floats32 | None, Floats32 | None] | None:
        golden = self.metadata.get("golden")
        if golden is None:
            return None
        try:
            return (
                self.as_rows(golden["input"]),
                np.array(golden["label"], dtype=np.int64),
                np.array(golden["probabilities"], dtype=np.float32) if "probabilities" in golden else None,
                np.array(golden[OUTLIER_SCORE], dtype=np.float32) if OUTLIER_SCORE in golden else None,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"the golden rows are damaged: {error!r}") from error

    def _any_row(self) -> Rows:
        if self._has_columns:
            return self.as_rows([["" if column.type == TEXT else 0.0 for column in self._inputs]])
        return self.as_rows([[0.0] * (self.width or 1)])

    def _find_inputs(self) -> list[Any]:
        inputs = self._session.get_inputs()
        one = [(i.type, len(i.shape)) for i in inputs] == [(NUMBERS, 2)]
        columns = all(i.type in (NUMBERS, TEXT) and i.shape[1:] == [1] for i in inputs)
        if not inputs or not (one or columns):
            found = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
            raise ModelError(
                f"expected one float32 input [rows, features], or float32 and string inputs [rows, 1], found {found}"
            )
        return list(inputs)

    def _find_outputs(self) -> list[str]:
        """Return the names of the label, of the probabilities if there are any, and of the scores if there are any."""
        found = {output.name: output for output in self._session.get_outputs()}
        scores = found.pop(OUTLIER_SCORE, None)
        if not found:
            raise ModelError("the model has no output for the label")
        if scores and scores.type != NUMBERS:
            raise ModelError(f"expected float32 outlier scores, found {scores.type}")
        # Models of others have names of their own: what is what follows from types and places.
        label = next((name for name, output in found.items() if output.type in LABELS), next(iter(found)))
        shares = [name for name, output in found.items() if name != label and output.type in SHARES]
        shares.sort(key=lambda name: "prob" not in name)  # beside them there may be decision functions and the like
        answers = [found[name] for name in (label, *shares[:1])]
        self._as_ours = [(output.type, len(output.shape)) for output in answers] in OURS
        return [output.name for output in (*answers, scores) if output]

    def _read(self, labels: Any, probabilities: Any) -> Answer:
        """Return an answer in the form of our own models, whatever form the model of somebody else gives it in.

        Raises:
            ModelError: it names other classes than the model's.
        """
        labels = np.asarray(labels)
        if labels.shape[1:] == (1,):
            labels = labels[:, 0]
        try:
            if labels.dtype == object:
                places = {name: place for place, name in enumerate(self.classes)}
                labels = np.array([places[name] for name in labels.tolist()], dtype=np.int64)
            if isinstance(probabilities, list):
                probabilities = self._from_maps(probabilities)
        except (KeyError, TypeError) as error:
            raise ModelError(f"the model answers classes that are none of {list(self.classes)}: {error}") from error
        return Answer(labels, probabilities)

    def _from_maps(self, maps: list[dict[Any, float]]) -> Floats32:
        """Return probabilities `[rows, classes]` from a map for each row, as skl2onnx makes them with zipmap on."""
        named = bool(maps) and isinstance(next(iter(maps[0]), None), str)
        keys: Sequence[Any] = self.classes if named else range(len(self.classes))
        if maps and len(maps[0]) != len(keys):
            raise ModelError(f"{len(maps[0])} probabilities for the classes {list(self.classes)}")
        return np.array([[each[key] for key in keys] for each in maps], dtype=np.float32)

    def _find_threshold(self) -> float | None:
        if OUTLIER_SCORE not in self._outputs:
            return None
        described: Any = self.metadata.get("outliers")
        try:
            threshold = described["threshold"]
            usable = not isinstance(threshold, bool) and math.isfinite(threshold)
        except (KeyError, TypeError, OverflowError):
            usable = False
        if not usable:
            raise ModelError(f"the model gives outlier scores, but their threshold is no number: {described!r}")
        return float(threshold)


def compare(
    answer: Answer, labels: npt.ArrayLike, probabilities: npt.ArrayLike | None, scores: npt.ArrayLike | None = None
) -> None:
    """Check that an answer has exactly these labels, and these probabilities and outlier scores within 1e-5.

    Scores beyond 1 may differ by as large a part of themselves. Probabilities that one side does not give are not
    compared.

    Raises:
        ModelError: says which row differs, and how much.
    """
    different = np.flatnonzero(answer.labels != np.asarray(labels))
    if different.size:
        raise ModelError(f"the label of row {different[0]} differs ({different.size} rows of {len(answer.labels)} do)")
    if answer.probabilities is not None and probabilities is not None:
        _compare_probabilities(answer.probabilities, np.asarray(probabilities))
    if scores is not None:
        _compare_scores(answer.outlier_scores, np.asarray(scores))


def _compare_probabilities(found: Floats32, expected: npt.NDArray[Any]) -> None:
    if found.shape != expected.shape:
        raise ModelError(f"probabilities are {found.shape}, and not {expected.shape}")
    _check_distance("probabilities", np.abs(found - expected).max(axis=1))


def _compare_scores(found: Floats32 | None, expected: npt.NDArray[Any]) -> None:
    if found is None:
        raise ModelError("the model gives no outlier scores")
    if found.shape != expected.shape:
        raise ModelError(f"outlier scores are {found.shape}, and not {expected.shape}")
    _check_distance("outlier scores", np.abs(found - expected) / np.maximum(1.0, np.abs(expected)))


def _check_distance(what: str, distance: npt.NDArray[Any]) -> None:
    # Not `>`: a distance that is not a number is too large.
    if not distance.max() <= TOLERANCE:
        raise ModelError(f"the {what} of row {distance.argmax()} differ by {distance.max():.1e} (> {TOLERANCE})")


def _class_names(names: Any) -> tuple[str, ...]:
    """Return class names as they can be sent and logged.

    Raises:
        ModelError: there are none, or some cannot be; the message says which.
    """
    if not names:
        raise ModelError("the model carries no class names: set CLASS_PATH to a JSON file that lists them")
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ModelError(f"the class names are no list of names: {_short(names)}")
    for name in names:
        # A lone half of a surrogate pair is no text that can be sent, and PostgreSQL takes no zero byte.
        if not name or len(name) > MAX_NAME or re.search(r"[\x00\ud800-\udfff]", name):
            raise ModelError(f"a class name cannot be sent and logged: {_short(name)} ({len(name)} characters)")
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise ModelError(f"a class name is there more than once: {_short(repeated[0])}")
    return tuple(names)


def _short(value: Any) -> str:
    return textwrap.shorten(repr(value)[:1000], 80, placeholder="…")


def _decode(properties: dict[str, str]) -> dict[str, Any]:
    decoded = {}
    for key, text in properties.items():
        try:
            decoded[key] = json.loads(text)
        except ValueError:
            decoded[key] = text
    return decoded

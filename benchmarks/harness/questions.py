"""Requests for the same rows in the protocol of each server, and the classes in its answers."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import numpy as np

from api.protocols.oip.types import LABEL, PROBABILITIES
from benchmarks.harness.http_load import Post
from common.bundle.model import OUTLIER_SCORE, Floats32
from common.problem import Problem

MODEL = "IrisModel"
HEADER_LENGTH = "Inference-Header-Content-Length"
# The model's own outputs, which every server gives. The api's answers also hold ids and names.
OUTPUTS = (LABEL, PROBABILITIES, OUTLIER_SCORE)
TYPES = {"FP32": np.float32, "FP64": np.float64, "INT32": np.int32, "INT64": np.int64}


class WrongAnswerError(RuntimeError):
    """A server answers other classes than the model; the message holds both."""


@dataclass(frozen=True)
class Question:
    """A request for some rows.

    Attributes:
        expected: the class number of each row, by the model.
        classes: reads the class numbers from an answer; None for servers that always give the same answer.
    """

    post: Post
    expected: Sequence[int]
    classes: Callable[[httpx.Response], Sequence[int]] | None

    def answered(self, http: httpx.Client) -> bool:
        """Return whether the server answers with success.

        Raises:
            WrongAnswerError: the answer names other classes than the model.
        """
        answer = http.post(self.post.path, content=self.post.body, headers=dict(self.post.headers))
        if answer.is_success and self.classes and (found := list(self.classes(answer))) != list(self.expected):
            raise WrongAnswerError(f"{answer.url} answers {found[:10]}, and the model {list(self.expected)[:10]}")
        return answer.is_success


@dataclass(frozen=True)
class Asked:
    """Rows `[rows, features]` of a problem with the model's classes. Each method returns a request for all rows."""

    problem: Problem
    X: Floats32
    labels: Sequence[int]

    def fields(self, *, checked: bool = True) -> Question:
        """Ask the api for the first row by its fields; unchecked for servers that answer without a class."""
        body = dict(zip(self.problem.columns, _short(self.X[0]), strict=True))
        return self._json("/predict", body, self._own if checked else None)

    def data(self) -> Question:
        """Ask the api for many rows in its own format."""
        return self._json("/predict", {"data": [_short(row) for row in self.X]}, self._own)

    def flowers(self) -> Question:
        """Ask the tutorial's service for many rows, each an object with named fields."""
        rows = [dict(zip(self.problem.columns, _short(row), strict=True)) for row in self.X]
        return self._json("/predict/many", rows, self._own)

    def open_json(self) -> Question:
        """Ask by the open inference protocol (OIP) with JSON."""
        tensor = {**self._tensor(), "data": _short(self.X.ravel())}
        return self._json(f"/v2/models/{MODEL}/infer", {"inputs": [tensor], **_wanted()}, open_classes)

    def open_binary(self) -> Question:
        """Ask by the OIP's extension for binary tensors."""
        values = self.X.astype("<f4").tobytes()
        tensor = {**self._tensor(), "parameters": {"binary_data_size": len(values)}}
        head = _encoded({"inputs": [tensor], **_wanted(binary_data=True)})
        headers = {"content-type": "application/octet-stream", HEADER_LENGTH: str(len(head))}
        return Question(Post(f"/v2/models/{MODEL}/infer", head + values, headers), self.labels, open_classes)

    def instances(self) -> Question:
        """Ask by KServe's protocol v1."""
        return self._json(f"/v1/models/{MODEL}:predict", {"instances": self._rows()}, _instances)

    def rows(self) -> Question:
        """Ask a service of BentoML or LitServe, where the service's author chooses the names."""
        return self._json("/predict", {"rows": self._rows()}, partial(_named, path=["label"]))

    def inputs(self) -> Question:
        """Ask `mlflow models serve`."""
        return self._json("/invocations", {"inputs": self._rows()}, partial(_named, path=["predictions", "label"]))

    def _rows(self) -> list[list[float]]:
        return [_short(row) for row in self.X]

    def _tensor(self) -> dict[str, Any]:
        return {"name": "input", "shape": list(self.X.shape), "datatype": "FP32"}

    def _own(self, answer: httpx.Response) -> list[int]:
        content = answer.json()
        rows = content if isinstance(content, list) else content.get("predictions", [content])
        names = [each["class_name"] for each in rows]
        return [self.problem.target.classes.index(name) for name in names]

    def _json(self, path: str, body: Any, classes: Callable[[httpx.Response], Sequence[int]] | None) -> Question:
        return Question(Post(path, _encoded(body)), self.labels, classes)


def open_classes(answer: httpx.Response) -> list[int]:
    """Return the output `label` of an answer by the open inference protocol, in JSON or binary.

    Raises:
        KeyError: the answer has no output `label`.
    """
    length = int(answer.headers.get(HEADER_LENGTH, len(answer.content)))
    at = length
    for output in json.loads(answer.content[:length])["outputs"]:
        size = (output.get("parameters") or {}).get("binary_data_size", 0)
        if output["name"] == LABEL:
            content = answer.content[at : at + size]
            return np.frombuffer(content, TYPES[output["datatype"]]).tolist() if size else list(output["data"])
        at += size
    raise KeyError(LABEL)


def _wanted(**parameters: bool) -> dict[str, Any]:
    return {"outputs": [{"name": name, "parameters": parameters} for name in OUTPUTS]}


def _instances(answer: httpx.Response) -> list[int]:
    return [each["label"] for each in answer.json()["predictions"]]


def _named(answer: httpx.Response, path: Sequence[str]) -> list[int]:
    found = answer.json()
    for name in path:
        found = found[name]
    return list(found)


def _encoded(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def _short(values: Floats32) -> list[float]:
    """Return float32 values with their shortest decimals, such as 0.1 in place of 0.10000000149011612."""
    return [float(str(value)) for value in values]

"""What a problem is: its features, its classes, where its data come from, how its models are made."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]


class UnknownProblemError(ValueError):
    """No file under problems/ has that name."""


@dataclass(frozen=True)
class Feature:
    """One input column, in the order in which the model takes them.

    `minimum` and `maximum` are limits of plausibility in `unit`: a value outside is a mistake, not a rare case.
    """

    name: str
    unit: str
    description: str
    minimum: float
    maximum: float
    example: float
    kind: Literal["number"] = "number"


@dataclass(frozen=True)
class Target:
    """The column to predict. The place of a name in `classes` is its index in files and models."""

    name: str
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Rows of a problem: `X` is float64 `[rows, features]`, `y` is int64 `[rows]`, indices into the classes."""

    X: Floats
    y: Ints


class Classifier(Protocol):
    """A fitted classifier, as scikit-learn's are; its classes are indices."""

    def predict(self, X: Floats) -> Ints:
        """Return class indices `[rows]` for features `[rows, features]`."""
        ...

    def predict_proba(self, X: Floats) -> Floats:
        """Return probabilities `[rows, classes]` for features `[rows, features]`."""
        ...


@dataclass(frozen=True)
class Candidate:
    """One model to try: the parameters that name it, and `fit(X, y)`, which returns the fitted classifier."""

    params: Mapping[str, int | float | str]
    fit: Callable[[Floats, Ints], Classifier]


@dataclass(frozen=True)
class Problem:
    """Everything that the parts need to know of a problem.

    Attributes:
        load: raw rows from the given file, or from the problem's own source when it is None; known errors of
            the published data are corrected. Raises `DataError`.
        candidates: the models that training compares.
        continue_training: `(model, original, corrections)` -> a new model that has also learnt the corrections;
            the given model is left as it was.
    """

    name: str
    features: tuple[Feature, ...]
    target: Target
    load: Callable[[Path | None], Table]
    candidates: Callable[[], Sequence[Candidate]]
    continue_training: Callable[[Any, Table, Table], Classifier]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the features, in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def onnx_name(self) -> str:
        """The registered name of the ONNX models, such as `IrisModel`."""
        return f"{self._title}Model"

    @property
    def sklearn_name(self) -> str:
        """The registered name of the scikit-learn models, and of the experiment, such as `IrisDev`."""
        return f"{self._title}Dev"

    @property
    def _title(self) -> str:
        return self.name.title().replace("_", "")


def get_problem(name: str) -> Problem:
    """Return `PROBLEM` of problems/<name>.py.

    Raises:
        UnknownProblemError: there is no such file; the message lists those there are.
    """
    package = importlib.import_module("problems")
    known = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    if name not in known:
        raise UnknownProblemError(f"unknown problem {name!r}: there is {', '.join(known)} (one file each in problems/)")
    problem: Problem = importlib.import_module(f"problems.{name}").PROBLEM
    return problem

"""The description of a problem: its features and classes, where its data come from, and how its models are made.

A file in `problems/` imports everything that it needs from here, but for `read_table`.
"""

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from common.faults import faults  # room: faults
from common.features import BREAKING, LARGEST, TEXT, Category, Feature, Number, Target, Value
from common.refit import refit
from common.rows import Classifier, Floats, Ints, Rows, Table

__all__ = [
    "BREAKING", "LARGEST", "TEXT", "Candidate", "Category", "Classifier", "Feature", "Floats", "Ints", "Number",
    "Problem", "ProblemError", "Rows", "Table", "Target", "Value", "as_float32", "epochs_run", "get_problem",
    "probabilities_of",
]  # fmt: skip


class ProblemError(ValueError):
    """`problems/` has no usable problem of that name; the message says what to do."""


def probabilities_of(model: Classifier, X: Rows) -> Floats | None:
    """Return probabilities `[rows, classes]` for features `[rows, features]`; None if the model gives none."""
    return model.predict_proba(X) if hasattr(model, "predict_proba") else None


def as_float32(X: Rows) -> Rows:
    """Return rows `[rows, features]` with their numbers in single precision, as ONNX models take them."""
    if X.dtype != object:
        return X.astype(np.float32)
    single = [[value if isinstance(value, str) else float(np.float32(value)) for value in row] for row in X.tolist()]
    return np.array(single, dtype=object)


def epochs_run(model: Any) -> int | None:
    """Return the number of epochs of the last fit of a model, or of a pipeline's last step; None without epochs."""
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    epochs = getattr(last, "n_iter_", None)
    # Boosted trees count their rounds in `n_iter_`, and have no `max_iter`.
    return epochs if isinstance(epochs, int) and hasattr(last, "max_iter") else None


@dataclass(frozen=True)
class Candidate:
    """One model that the search fits.

    Attributes:
        params: the parameters that name it.
        fit: `(X, y)` -> the fitted classifier.
        family: the best candidate becomes champion, and the best of another family becomes challenger.
    """

    params: Mapping[str, int | float | str]
    fit: Callable[[Rows, Ints], Classifier]
    family: str = ""


@dataclass(frozen=True)
class Problem:
    """Everything that the parts need to know of a problem.

    Attributes:
        load: returns raw rows from the given file, or from the problem's own source if the file is None; it corrects
            known errors of published data. Raises `DataError`.
        candidates: returns the models that training compares.
        continue_training: `(model, original, corrections)` -> a new model that has also learnt the corrections, from
            where the given model stopped; it leaves the given model as it was. None if there is nothing to continue.
        refit: the same by a new fit on all rows; the default takes scikit-learn's models. None to do without.
        test_share: the share of the rows that is kept to test on.
        min_accuracy: the accuracy on the test rows that a fine-tuned model needs in order to be registered.
        margin: the loss of accuracy that does not matter when a new version is compared with the present one.
        later_share: the share of the rows that is set aside as later data, to continue training with.

    Raises:
        ProblemError: two features or classes have the same name, a name is reserved, float32 cannot hold a limit, a
            spelling means no class, or there is no way to learn corrections.
    """

    name: str
    features: tuple[Feature, ...]
    target: Target
    load: Callable[[Path | None], Table]
    candidates: Callable[[], Sequence[Candidate]]
    continue_training: Callable[[Any, Table, Table], Classifier] | None = None
    refit: Callable[[Any, Table, Table], Classifier] | None = refit
    test_share: float = 0.2
    min_accuracy: float = 0.9
    margin: float = 0.02
    later_share: float = 0.0

    def __post_init__(self) -> None:
        """Check the names, limits and spellings."""
        found: Iterable[str] = ()
        found = faults(self.features, self.slugs, self.target)  # room: faults
        if self.continue_training is None and self.refit is None:
            found = [*found, "there is no way to learn corrections: set continue_training or refit"]
        if fault := next(iter(found), None):
            raise ProblemError(f"problem {self.name}: {fault}")

    @cached_property
    def is_numeric(self) -> bool:
        """Whether all features are numbers, so that rows are one array of floats."""
        return all(feature.kind == "number" for feature in self.features)

    @cached_property
    def slugs(self) -> tuple[str, ...]:
        """The names of the features as identifiers, for formats that allow no spaces and brackets."""
        return tuple(re.sub(r"\W+", "_", name).strip("_") for name in self.columns)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of the features, in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def onnx_name(self) -> str:
        """The registered name of the ONNX models, such as `IrisModel`."""
        return f"{_title(self.name)}Model"

    @property
    def sklearn_name(self) -> str:
        """The registered name of the scikit-learn models, and of the experiment, such as `IrisDev`."""
        return f"{_title(self.name)}Dev"


def _title(name: str) -> str:
    return name.title().replace("_", "")


def get_problem(name: str) -> Problem:
    """Return `PROBLEM` of problems/<name>.py.

    Raises:
        ProblemError: there is no such file, and the message lists the files there are; or the file has no `PROBLEM` of
            that name, or a faulty one, or the models of another file would have the same names.
    """
    package = importlib.import_module("problems")
    known = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    if name not in known:
        raise ProblemError(f"unknown problem {name!r}: there is {', '.join(known)} (one file each in problems/)")
    problem = getattr(importlib.import_module(f"problems.{name}"), "PROBLEM", None)
    if not isinstance(problem, Problem) or problem.name != name:
        raise ProblemError(f"problems/{name}.py has no PROBLEM whose name is {name!r}")
    if twins := [other for other in known if other != name and _title(other) == _title(name)]:
        raise ProblemError(
            f"problems/{name}.py and problems/{twins[0]}.py would both register {problem.onnx_name}: rename one of them"
        )
    return problem

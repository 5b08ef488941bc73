"""What a problem is: its features, its classes, where its data come from, how its models are made."""

import importlib
import keyword
import pkgutil
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]
# Rows of features `[rows, features]`: float64 where all features are numbers, else object, with floats and strings.
Rows = npt.NDArray[Any]
Value = float | str  # of a feature

# Characters that end lines, for some reader or other, or do not survive in files.
_BREAKING = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
BREAKING = re.compile(f"[{_BREAKING}]")
# Text that can be a category: it stands in one line of a file, and is not blank.
TEXT = rf"^[^{_BREAKING}]*[^\s{_BREAKING}][^{_BREAKING}]*$"

# The largest number that a model, which is asked in float32, can be given.
LARGEST = float(np.finfo(np.float32).max)

# Names that the bodies of requests, the outputs of a graph, or the monitor have for something else.
RESERVED = {
    "class_name", "confidence", "data", "outlier_score", "predicted_class", "prediction_id", "replace", "suggestion_id"
}  # fmt: skip


class ProblemError(ValueError):
    """There is no such problem to work on; the message says what to do."""


class UnknownProblemError(ProblemError):
    """No file under problems/ has that name."""


class BadProblemError(ProblemError):
    """A file under problems/ describes no problem that the lab can work on; the message says what to change."""


def _set(frozen: object, **values: object) -> None:
    """Set attributes of a frozen dataclass while it is made."""
    for name, value in values.items():
        object.__setattr__(frozen, name, value)


@dataclass(frozen=True)
class Number:
    """An input column of numbers. Blanks around its name do not count, here as in files.

    `minimum` and `maximum` are limits of plausibility in `unit`: a value outside is a mistake, not a rare case.
    """

    name: str
    unit: str
    description: str
    minimum: float
    maximum: float
    example: float
    kind: Literal["number"] = field(default="number", init=False)

    def __post_init__(self) -> None:
        """Take blanks away."""
        _set(self, name=self.name.strip())


@dataclass(frozen=True)
class Category:
    """An input column of names. `categories` are the known ones; others are answered, too, and counted.

    Blanks around names do not count, here as in files.
    """

    name: str
    description: str
    categories: tuple[str, ...]
    example: str
    kind: Literal["category"] = field(default="category", init=False)

    def __post_init__(self) -> None:
        """Take blanks away."""
        categories = tuple(name.strip() for name in self.categories)
        _set(self, name=self.name.strip(), categories=categories, example=self.example.strip())


Feature = Number | Category


@dataclass(frozen=True)
class Target:
    """The column to predict. The place of a name in `classes` is its index in files and models.

    `spellings` are other words for classes in raw data, such as 1 for Yes. Blanks around names and words do not count,
    here as in files.
    """

    name: str
    classes: tuple[str, ...]
    spellings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take blanks away."""
        classes = tuple(name.strip() for name in self.classes)
        spellings = {word.strip(): name.strip() for word, name in self.spellings.items()}
        _set(self, name=self.name.strip(), classes=classes, spellings=spellings)


@dataclass(frozen=True)
class Table:
    """Rows of a problem: `X` is `[rows, features]`, `y` is int64 `[rows]`, indices into the classes."""

    X: Rows
    y: Ints


class Classifier(Protocol):
    """A fitted classifier, as scikit-learn's are; its classes are indices."""

    def predict(self, X: Rows) -> Ints:
        """Return class indices `[rows]` for features `[rows, features]`."""
        ...

    def predict_proba(self, X: Rows) -> Floats:
        """Return probabilities `[rows, classes]`. Some models have no such method: ask by `probabilities_of`."""
        ...


def probabilities_of(model: Classifier, X: Rows) -> Floats | None:
    """Return probabilities `[rows, classes]` for features `[rows, features]`; None from a model that gives none."""
    return model.predict_proba(X) if hasattr(model, "predict_proba") else None


def as_float32(X: Rows) -> Rows:
    """Return rows `[rows, features]` with their numbers in single precision, in which ONNX models take them."""
    if X.dtype != object:
        return X.astype(np.float32)
    single = [[value if isinstance(value, str) else float(np.float32(value)) for value in row] for row in X.tolist()]
    return np.array(single, dtype=object)


def epochs_run(model: Any) -> int | None:
    """Return how many epochs the last fit of a model, or of the last step of a pipeline, took; None without epochs."""
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    epochs = getattr(last, "n_iter_", None)
    # Boosted trees count their rounds there, which nobody sets by `max_iter`.
    return epochs if isinstance(epochs, int) and hasattr(last, "max_iter") else None


@dataclass(frozen=True)
class Candidate:
    """One model to try.

    Attributes:
        params: the parameters that name it.
        fit: `(X, y)` -> the fitted classifier.
        family: where there are several, the best candidate becomes champion, and the best of another family challenges
            it.
    """

    params: Mapping[str, int | float | str]
    fit: Callable[[Rows, Ints], Classifier]
    family: str = ""


@dataclass(frozen=True)
class Problem:
    """Everything that the parts need to know of a problem.

    Attributes:
        load: raw rows from the given file, or from the problem's own source when it is None; known errors of
            the published data are corrected. Raises `DataError`.
        candidates: the models that training compares.
        continue_training: `(model, original, corrections)` -> a new model that has also learnt the corrections;
            the given model is left as it was.
        test_share: of the rows, kept to test on.
        min_accuracy: on the test rows, which a fine-tuned model needs to be registered.
        later_share: of the rows, set aside as what comes later, to continue training with.

    Raises:
        BadProblemError: features, target or classes cannot be told apart, have names that are needed for something
            else or limits that float32 cannot hold, or a spelling stands for no class.
    """

    name: str
    features: tuple[Feature, ...]
    target: Target
    load: Callable[[Path | None], Table]
    candidates: Callable[[], Sequence[Candidate]]
    continue_training: Callable[[Any, Table, Table], Classifier]
    test_share: float = 0.2
    min_accuracy: float = 0.9
    later_share: float = 0.0

    def __post_init__(self) -> None:
        """Check that names tell things apart."""
        for what, names in (("feature", self.columns), ("feature", self.slugs), ("class", self.target.classes)):
            if twice := [name for name, count in Counter(names).items() if count > 1]:
                raise BadProblemError(f"problem {self.name}: {what} {twice[0]!r} is there twice")
        if taken := RESERVED.intersection(self.slugs):
            raise BadProblemError(f"problem {self.name}: no feature can be called {min(taken)!r}: rename its column")
        pairs = zip(self.columns, self.slugs, strict=True)
        if bad := [name for name, slug in pairs if not slug.isidentifier() or keyword.iskeyword(slug)]:
            raise BadProblemError(
                f"problem {self.name}: no feature can be called {bad[0]!r}: "
                "begin with a letter, and take no word of Python's own"
            )
        self._check_limits()
        self._check_target()

    def _check_limits(self) -> None:
        for each in self.features:
            if each.kind == "number" and not all(abs(limit) <= LARGEST for limit in (each.minimum, each.maximum)):
                raise BadProblemError(
                    f"problem {self.name}: feature {each.name!r} is from {each.minimum} to {each.maximum}: limits lie "
                    f"between {-LARGEST:.2g} and {LARGEST:.2g}, which is what float32 can hold"
                )

    def _check_target(self) -> None:
        name, classes, spellings = self.target.name, self.target.classes, self.target.spellings
        if name in self.columns:
            raise BadProblemError(f"problem {self.name}: {name!r} is a feature and the target, too: leave one of them")
        if len(classes) < 2:  # noqa: PLR2004  # as the message says
            raise BadProblemError(f"problem {self.name}: a target needs two classes at least")
        if bad := [each for each in classes if not each or BREAKING.search(each)]:
            raise BadProblemError(f"problem {self.name}: no class can be called {bad[0]!r}: write a word in one line")
        for word, meant in spellings.items():
            if meant not in classes:
                raise BadProblemError(
                    f"problem {self.name}: {word!r} is to be a spelling of {meant!r}, which is no class; "
                    f"the classes are {', '.join(classes)}"
                )
            if word in classes and word != meant:
                raise BadProblemError(
                    f"problem {self.name}: {word!r} is a class, and cannot be a spelling of {meant!r}, too"
                )

    @cached_property
    def is_numeric(self) -> bool:
        """Whether all features are numbers, so that rows are one array of floats."""
        return all(feature.kind == "number" for feature in self.features)

    @cached_property
    def slugs(self) -> tuple[str, ...]:
        """The names of the features as identifiers, for what cannot do with spaces and brackets."""
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
        UnknownProblemError: there is no such file; the message lists those there are.
        BadProblemError: the file has no `PROBLEM` of that name, or one that the lab cannot work on, or another file's
            models would have the same names.
    """
    package = importlib.import_module("problems")
    known = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    if name not in known:
        raise UnknownProblemError(f"unknown problem {name!r}: there is {', '.join(known)} (one file each in problems/)")
    problem = getattr(importlib.import_module(f"problems.{name}"), "PROBLEM", None)
    if not isinstance(problem, Problem) or problem.name != name:
        raise BadProblemError(f"problems/{name}.py has no PROBLEM whose name is {name!r}")
    if twins := [other for other in known if other != name and _title(other) == _title(name)]:
        raise BadProblemError(
            f"problems/{name}.py and problems/{twins[0]}.py would both register {problem.onnx_name}: rename one of them"
        )
    return problem

"""The columns of a problem: features that are numbers or categories, and the target."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Value = float | str  # of a feature

# Characters that some program reads as the end of a line, or that do not survive in files.
_BREAKING = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
BREAKING = re.compile(f"[{_BREAKING}]")
# Text that can be a category: it fits into one line of a file, and is not blank.
TEXT = rf"^[^{_BREAKING}]*[^\s{_BREAKING}][^{_BREAKING}]*$"

# The largest number that a model can take, because models take float32.
LARGEST = float(np.finfo(np.float32).max)


def _set(frozen: object, **values: object) -> None:
    """Set attributes of a frozen dataclass while it is made."""
    for name, value in values.items():
        object.__setattr__(frozen, name, value)


@dataclass(frozen=True)
class Number:
    """A feature that is a number. Blanks around its name are removed, here and in files.

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
        """Remove blanks."""
        _set(self, name=self.name.strip())


@dataclass(frozen=True)
class Category:
    """A feature that is a name. `categories` are the known names; the service answers and counts other names, too.

    Blanks around names are removed, here and in files.
    """

    name: str
    description: str
    categories: tuple[str, ...]
    example: str
    kind: Literal["category"] = field(default="category", init=False)

    def __post_init__(self) -> None:
        """Remove blanks."""
        categories = tuple(name.strip() for name in self.categories)
        _set(self, name=self.name.strip(), categories=categories, example=self.example.strip())


Feature = Number | Category


@dataclass(frozen=True)
class Target:
    """The column to predict. The index of a class in files and models is its place in `classes`.

    `spellings` are other words for classes in raw data, such as 1 for Yes. Blanks around names and words are removed,
    here and in files.
    """

    name: str
    classes: tuple[str, ...]
    spellings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Remove blanks."""
        classes = tuple(name.strip() for name in self.classes)
        spellings = {word.strip(): name.strip() for word, name in self.spellings.items()}
        _set(self, name=self.name.strip(), classes=classes, spellings=spellings)

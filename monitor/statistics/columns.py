"""The answers of a window, column by column."""

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt

from common.problem import Value
from common.store.monitoring.window_rows import WindowRow
from monitor.statistics.drift import CategoryReference, Floats, NumberReference

ROWS_AT_ONCE = 500

Observed = Floats | Counter[str]


class Columns:
    """Rows by column.

    Attributes:
        outliers: how many are, and how many are not, of those that tell.
        features: the values of each.
    """

    def __init__(
        self, rows: Iterable[WindowRow], references: Mapping[str, NumberReference | CategoryReference]
    ) -> None:
        """Read all rows; a feature with a reference is of its kind, others are of that of their first value."""
        self._classes: Counter[tuple[int, str]] = Counter()
        self._confidences: defaultdict[int, Numbers] = defaultdict(Numbers)
        self.outliers: Counter[bool] = Counter()
        self.features = {
            name: Column(is_category=isinstance(each, CategoryReference)) for name, each in references.items()
        }
        remaining = iter(rows)
        # Some at a time: of these alone every value is an object.
        while some := list(islice(remaining, ROWS_AT_ONCE)):
            self._add(some)

    def classes(self, version: int | None = None) -> Counter[str]:
        """Return how often each class was answered, by any version or by one."""
        found: Counter[str] = Counter()
        for (answering, name), count in self._classes.items():
            if version in (None, answering):
                found[name] += count
        return found

    def confidences(self, version: int | None = None) -> Floats:
        """Return the confidences of the answers that tell one, of any version or of one."""
        kept = [each.all() for answering, each in self._confidences.items() if version in (None, answering)]
        return np.concatenate([np.empty(0), *kept])

    def _add(self, rows: Sequence[WindowRow]) -> None:
        features = [row["features"] for row in rows]
        unlike = [bool(row["is_outlier"]) for row in rows]
        for name in dict.fromkeys([*self.features, *features[0]]):
            values = [each[name] for each in features if name in each]
            if values:
                outliers = [told for each, told in zip(features, unlike, strict=True) if name in each]
                self.features.setdefault(name, Column(is_category=isinstance(values[0], str))).add(values, outliers)
        self._classes.update((row["model_version"], row["class_name"]) for row in rows)
        for version in {row["model_version"] for row in rows}:
            told = [row["confidence"] for row in rows if row["model_version"] == version]
            self._confidences[version].add([confidence for confidence in told if confidence is not None])
        self.outliers.update(row["is_outlier"] for row in rows if row["is_outlier"] is not None)


class Numbers:
    """Numbers that come some at a time, in one piece of memory: in many, tens of megabytes would not come back."""

    def __init__(self) -> None:
        """Begin without any."""
        self._kept = array("d")

    def add(self, values: Sequence[Value]) -> None:
        """Add numbers; words are none, and come as what is not a number."""
        self._kept.frombytes(_floats(values).tobytes())

    def all(self) -> Floats:
        """Return all of them; none may be added afterwards."""
        return np.frombuffer(self._kept, dtype=np.float64)


class Column:
    """The values of a feature: counts of names, or numbers."""

    def __init__(self, *, is_category: bool) -> None:
        """Begin without values."""
        self._is_category = is_category
        self._names: Counter[str] = Counter()
        self._numbers = Numbers()
        self._outliers = bytearray()

    def add(self, values: Sequence[Value], outliers: Sequence[bool]) -> None:
        """Add values, and whether their rows are outliers; of numbers, words and what is not finite are left out."""
        if self._is_category:
            self._names.update(map(str, values))
        else:
            self._numbers.add(values)
            self._outliers.extend(outliers)

    def observed(self) -> Observed:
        """Return all of them."""
        if self._is_category:
            return self._names
        numbers = self._numbers.all()
        return _chosen(numbers, np.isfinite(numbers))

    def usual(self) -> Floats:
        """Return the numbers of the rows that are no outliers."""
        numbers = self._numbers.all()
        return _chosen(numbers, np.isfinite(numbers) & ~np.frombuffer(self._outliers, dtype=np.bool_))


def _chosen(numbers: Floats, chosen: npt.NDArray[np.bool_]) -> Floats:
    return numbers if chosen.all() else numbers[chosen]


def _floats(values: Sequence[Value]) -> Floats:
    try:
        return np.array(values, dtype=np.float64)
    except ValueError:  # words among them, which are no numbers
        return np.array([math.nan if isinstance(each, str) else each for each in values], dtype=np.float64)

"""The predictions of a window, column by column."""

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt

from common.problem import Value
from common.store.monitoring.window_rows import WindowRow
from monitor.statistics.reference import CategoryReference, Floats, SubjectReference

ROWS_AT_ONCE = 500

Observed = Floats | Counter[str]


class Columns:
    """The rows of a window by column.

    Attributes:
        outliers: the number of rows that are outliers (True) and that are not (False), among rows with a score.
        features: the values of each feature, by name.
    """

    def __init__(self, rows: Iterable[WindowRow], references: Mapping[str, SubjectReference]) -> None:
        """Read all rows; a feature has the kind of its reference, and without one the kind of its first value."""
        self._classes: Counter[tuple[int, str]] = Counter()
        self._confidences: defaultdict[int, NumberBuffer] = defaultdict(NumberBuffer)
        self.outliers: Counter[bool] = Counter()
        self.features = {
            name: FeatureValues(is_category=isinstance(each, CategoryReference)) for name, each in references.items()
        }
        remaining = iter(rows)
        # In batches, because a Python object for every value of all rows would take too much memory.
        while batch := list(islice(remaining, ROWS_AT_ONCE)):
            self._add(batch)

    def classes(self, version: int | None = None) -> Counter[str]:
        """Return the number of predictions of each class, by one version or, without `version`, by all."""
        found: Counter[str] = Counter()
        for (answering, name), count in self._classes.items():
            if version in (None, answering):
                found[name] += count
        return found

    def confidences(self, version: int | None = None) -> Floats:
        """Return the confidences of the predictions that have one, by one version or, without `version`, by all."""
        kept = [each.all() for answering, each in self._confidences.items() if version in (None, answering)]
        return np.concatenate([np.empty(0), *kept])

    def _add(self, rows: Sequence[WindowRow]) -> None:
        features = [row["features"] for row in rows]
        outlying = [bool(row["is_outlier"]) for row in rows]
        for name in dict.fromkeys([*self.features, *features[0]]):
            values = [each[name] for each in features if name in each]
            if values:
                outliers = [is_outlier for each, is_outlier in zip(features, outlying, strict=True) if name in each]
                first = FeatureValues(is_category=isinstance(values[0], str))
                self.features.setdefault(name, first).add(values, outliers)
        self._classes.update((row["model_version"], row["class_name"]) for row in rows)
        for version in {row["model_version"] for row in rows}:
            found = [row["confidence"] for row in rows if row["model_version"] == version]
            self._confidences[version].add([confidence for confidence in found if confidence is not None])
        self.outliers.update(row["is_outlier"] for row in rows if row["is_outlier"] is not None)


class NumberBuffer:
    """Numbers that arrive in batches, in one block of memory.

    The allocator would not return tens of megabytes in small blocks to the system.
    """

    def __init__(self) -> None:
        """Create an empty buffer."""
        self._kept = array("d")

    def add(self, values: Sequence[Value]) -> None:
        """Add numbers; a string is added as NaN."""
        self._kept.frombytes(_floats(values).tobytes())

    def all(self) -> Floats:
        """Return all numbers; `add` must not be called afterwards."""
        return np.frombuffer(self._kept, dtype=np.float64)


class FeatureValues:
    """The values of a feature: the number of rows by name, or numbers."""

    def __init__(self, *, is_category: bool) -> None:
        """Create a feature without values."""
        self._is_category = is_category
        self._names: Counter[str] = Counter()
        self._numbers = NumberBuffer()
        self._outliers = bytearray()

    def add(self, values: Sequence[Value], outliers: Sequence[bool]) -> None:
        """Add values, and whether their rows are outliers; strings among numbers become NaN."""
        if self._is_category:
            self._names.update(map(str, values))
        else:
            self._numbers.add(values)
            self._outliers.extend(outliers)

    def observed(self) -> Observed:
        """Return the rows by name, or all finite numbers."""
        if self._is_category:
            return self._names
        numbers = self._numbers.all()
        return _chosen(numbers, np.isfinite(numbers))

    def usual(self) -> Floats:
        """Return the finite numbers of the rows that are no outliers."""
        numbers = self._numbers.all()
        return _chosen(numbers, np.isfinite(numbers) & ~np.frombuffer(self._outliers, dtype=np.bool_))


def _chosen(numbers: Floats, chosen: npt.NDArray[np.bool_]) -> Floats:
    return numbers if chosen.all() else numbers[chosen]


def _floats(values: Sequence[Value]) -> Floats:
    try:
        return np.array(values, dtype=np.float64)
    except ValueError:  # there are strings among them
        return np.array([math.nan if isinstance(each, str) else each for each in values], dtype=np.float64)

"""The limits of plausibility of a problem's features: the one check for JSON values, for arrays and for tensors."""

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from common.problem import TEXT, Feature, Floats, Problem

MAX_CATEGORY = 200  # characters
FEW_VALUES = 1_000  # below, comparing each value is 1 µs faster than minimum and maximum by columns


class FeatureLimits:
    """The limits of a problem's features.

    Attributes:
        types: a pydantic type for each feature. pydantic checks single values, and its words name each mistake.
    """

    def __init__(self, problem: Problem) -> None:
        """Take the limits from `problem`."""
        self.types = tuple(Annotated[_kind(feature), _field(feature)] for feature in problem.features)
        limits = [(each.minimum, each.maximum) for each in problem.features if each.kind == "number"]
        # A limit such as 0.1 is rounded to the precision of the values: as float32 it is a little more than 0.1.
        self._limits = {np.dtype(kind): np.array(limits, kind).T for kind in (np.float32, np.float64)}

    def hold(self, rows: Floats) -> bool:
        """Return whether all values of an array are plausible.

        Args:
            rows: float32 or float64 `[rows, features]`, where all features of the problem are numbers.
        """
        low, high = self._limits[rows.dtype]
        if rows.size < FEW_VALUES:
            return bool(((low <= rows) & (high >= rows)).all())
        # With each column in one piece of memory, minimum and maximum take an eighth of the time. NaN fails both.
        columns = rows.T.copy()
        return bool(((np.minimum.reduce(columns, 1) >= low) & (np.maximum.reduce(columns, 1) <= high)).all())


def _kind(feature: Feature) -> type[float | str]:
    return float if feature.kind == "number" else str


def _field(feature: Feature) -> Any:
    limits: dict[str, Any]
    more: dict[str, Any]
    if feature.kind == "category":
        # No enumeration: the model answers a category that is new since training, too.
        text = f"{feature.description}; other values than the known `categories` are answered, and counted"
        limits = {"min_length": 1, "max_length": MAX_CATEGORY, "pattern": TEXT}
        more = {"categories": list(feature.categories)}
    else:
        text = f"{feature.description}, in {feature.unit}"
        limits, more = {"ge": feature.minimum, "le": feature.maximum}, {"unit": feature.unit}
    return Field(strict=True, description=text, examples=[feature.example], json_schema_extra=more, **limits)

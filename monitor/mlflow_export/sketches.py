"""Columns in short: what many values were, in a few kilobytes, which can be added up.

The sketches are Apache DataSketches': a merged one tells as much, and errs as little, as one of all values would.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from datasketches import (
    frequent_items_error_type,
    frequent_strings_sketch,
    hll_sketch,
    hll_union,
    kll_doubles_sketch,
)

from monitor.statistics.drift import Floats

# Ranks of quantiles are right within 1.4 %, numbers of different names within 5 % (few of them exactly), each with 99 %
# confidence. Source: the tables of the library itself, get_normalized_rank_error(200, False), get_rel_err(..., 12, 3).
KLL_K, HLL_LG_K = 200, 12
NAMES_LG = 10  # up to 768 names are counted exactly, of more the most frequent ones


@dataclass(frozen=True)
class Numbers:
    """A column of numbers, those that are finite; `sketch` knows their quantiles."""

    count: int
    mean: float
    sketch: kll_doubles_sketch

    @classmethod
    def of(cls, values: Floats) -> Self:
        """Summarise numbers `[rows]`."""
        finite = values[np.isfinite(values)]
        sketch = kll_doubles_sketch(KLL_K)
        sketch.update(finite)
        return cls(len(finite), float(finite.mean()) if len(finite) else 0.0, sketch)

    def merge(self, other: Self) -> Self:
        """Return both together."""
        sketch = kll_doubles_sketch(KLL_K)
        sketch.merge(self.sketch)
        sketch.merge(other.sketch)
        count = self.count + other.count
        return type(self)(count, (self.count * self.mean + other.count * other.mean) / (count or 1), sketch)

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """Return the values that these shares of the rows do not exceed, the ends exactly; nothing without rows."""
        if not self.count:
            return []
        found = self.sketch.get_quantiles(list(shares), inclusive=True)
        # The sketch itself may have dropped the rows at the ends, and only remembers their values.
        ends: dict[float, float] = {0: self.sketch.get_min_value(), 1: self.sketch.get_max_value()}
        return [ends.get(share, value) for share, value in zip(shares, found, strict=True)]

    def told(self) -> dict[str, Any]:
        """Return it as JSON has it; the least and the greatest value are for people, the sketch has them too."""
        ends = {"minimum": self.sketch.get_min_value(), "maximum": self.sketch.get_max_value()} if self.count else {}
        return {"count": self.count, "mean": self.mean, **ends, "quantiles": _text(self.sketch.serialize())}

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Self:
        """Return what `told` has told."""
        return cls(told["count"], told["mean"], kll_doubles_sketch.deserialize(_bytes(told["quantiles"])))


@dataclass(frozen=True)
class Names:
    """A column of names; `frequent` knows how often, `different` how many there are."""

    count: int
    frequent: frequent_strings_sketch
    different: hll_sketch

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> Self:
        """Summarise names by how often they occur."""
        frequent, different = frequent_strings_sketch(NAMES_LG), hll_sketch(HLL_LG_K)
        for name, count in counts.items():
            frequent.update(name, count)
            different.update(name)
        return cls(sum(counts.values()), frequent, different)

    def merge(self, other: Self) -> Self:
        """Return both together."""
        frequent, different = frequent_strings_sketch(NAMES_LG), hll_union(HLL_LG_K)
        for each in (self, other):
            frequent.merge(each.frequent)
            different.update(each.different)
        return type(self)(self.count + other.count, frequent, different.get_result())

    @property
    def counts(self) -> dict[str, int]:
        """The most frequent names, and how often each occurs at most, the most frequent first."""
        found = self.frequent.get_frequent_items(frequent_items_error_type.NO_FALSE_NEGATIVES)
        return {name: upper for name, _, _, upper in found}

    @property
    def distinct(self) -> float:
        """About how many different names there are."""
        return float(self.different.get_estimate())

    def told(self) -> dict[str, Any]:
        """Return it as JSON has it; the counts are for people, the sketch has them too."""
        sketches = {"frequent": self.frequent.serialize(), "different": self.different.serialize_compact()}
        texts = {name: _text(content) for name, content in sketches.items()}
        return {"count": self.count, "distinct": round(self.distinct), "counts": self.counts, **texts}

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Self:
        """Return what `told` has told."""
        frequent = frequent_strings_sketch.deserialize(_bytes(told["frequent"]))
        return cls(told["count"], frequent, hll_sketch.deserialize(_bytes(told["different"])))


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)

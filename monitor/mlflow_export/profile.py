"""A profile summarises predictions column by column in a few kilobytes, whatever their number.

It holds sketches of Apache DataSketches in base64, one or two for each column. Sketches of several profiles can be
merged without loss of accuracy. To read a median from the artefact in MLflow, and to merge two days:

    >>> from base64 import b64decode
    >>> from datasketches import kll_doubles_sketch
    >>> days = [json.loads(text)["numbers"]["feature/petal_width"]["quantiles"] for text in texts]
    >>> first, second = (kll_doubles_sketch.deserialize(b64decode(day)) for day in days)
    >>> first.merge(second)
    >>> first.get_quantiles([0.5], inclusive=True)

A column of names has a `frequent_strings_sketch` under `frequent` and an `hll_sketch` under `different`.
"""

import json
from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from datasketches import frequent_items_error_type, frequent_strings_sketch, hll_sketch, kll_doubles_sketch

from common.problem import Value
from common.store.predictions import PredictionRow
from common.store.tables import Role
from monitor.statistics.reference import Floats

FORMAT = 1
# With 99 % confidence a quantile's rank is right within 1.4 %, and the number of different names within 5 %. Source:
# the library's own get_normalized_rank_error(200, False) and get_rel_err(..., 12, 3).
KLL_K, HLL_LG_K = 200, 12
NAMES_LG = 10  # up to 768 names are counted exactly; among more, the most frequent ones are known


@dataclass(frozen=True)
class Profile:
    """Rows by role, and a summary of each column.

    Columns are named `feature/<name>`, with the champion's rows only, `<role>/class`, `<role>/confidence` and
    `<role>/outlier score`. A feature that was a number and became a category is in `numbers` and in `names`.
    """

    rows: Counter[Role]
    numbers: Mapping[str, Mapping[str, Any]]
    names: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, rows: Iterable[PredictionRow]) -> Self:
        """Summarise predictions."""
        roles: Counter[Role] = Counter()
        numbers: defaultdict[str, list[float]] = defaultdict(list)
        names: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for row in rows:
            roles[row["role"]] += 1
            for name, value in _values(row):
                if isinstance(value, str):
                    names[name][value] += 1
                else:
                    numbers[name].append(value)
        return cls(
            roles,
            {name: _numbers(np.array(values, dtype=np.float64)) for name, values in numbers.items()},
            {name: _names(counts) for name, counts in names.items()},
        )

    def to_json(self) -> str:
        """Return the profile as JSON text."""
        return json.dumps({"format": FORMAT, **vars(self)}, indent=1, ensure_ascii=False)


def _values(row: PredictionRow) -> Iterable[tuple[str, Value]]:
    role = row["role"]
    # The challenger receives the same rows as the champion: features are counted once.
    if role == "champion":
        yield from ((f"feature/{name}", value) for name, value in row["features"].items())
    yield f"{role}/class", row["class_name"]
    scores = {"confidence": row["confidence"], "outlier score": row["outlier_score"]}
    yield from ((f"{role}/{name}", value) for name, value in scores.items() if value is not None)


def _numbers(values: Floats) -> dict[str, Any]:
    """Summarise the finite numbers among `values` `[rows]`."""
    finite = values[np.isfinite(values)]
    sketch = kll_doubles_sketch(KLL_K)
    sketch.update(finite)
    some = bool(len(finite))
    ends = {"minimum": sketch.get_min_value(), "maximum": sketch.get_max_value()} if some else {}
    mean = float(finite.mean()) if some else 0.0
    return {"count": len(finite), "mean": mean, **ends, "quantiles": _text(sketch.serialize())}


def _names(counts: Mapping[str, int]) -> dict[str, Any]:
    """Summarise names by the number of rows that have them."""
    frequent, different = frequent_strings_sketch(NAMES_LG), hll_sketch(HLL_LG_K)
    for name, count in counts.items():
        frequent.update(name, count)
        different.update(name)
    found = frequent.get_frequent_items(frequent_items_error_type.NO_FALSE_NEGATIVES)
    return {
        "count": sum(counts.values()),
        "distinct": round(different.get_estimate()),
        "counts": {name: upper for name, _, _, upper in found},
        "frequent": _text(frequent.serialize()),
        "different": _text(different.serialize_compact()),
    }


def _text(content: bytes) -> str:
    return b64encode(content).decode("ascii")

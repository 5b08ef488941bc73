"""What predictions were, column by column: short enough to keep, and those of any days can be added up."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Self, TypeVar

import numpy as np

from common.problem import Value
from common.store.predictions import PredictionRow
from common.store.tables import Role
from monitor.mlflow_export.sketches import Names, Numbers

FORMAT = 1

Sketched = TypeVar("Sketched", Numbers, Names)


@dataclass(frozen=True)
class Profile:
    """Rows by role, and their columns.

    Columns are called `feature/<name>`, which are the champion's alone, `<role>/class`, `<role>/confidence` and
    `<role>/outlier score`. One that was a number and became a category is in both.
    """

    rows: Counter[Role] = field(default_factory=Counter)
    numbers: Mapping[str, Numbers] = field(default_factory=dict)
    names: Mapping[str, Names] = field(default_factory=dict)

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
            {name: Numbers.of(np.array(values, dtype=np.float64)) for name, values in numbers.items()},
            {name: Names.of(counts) for name, counts in names.items()},
        )

    def merge(self, other: Self) -> Self:
        """Return both together."""
        return type(self)(
            self.rows + other.rows, _merged(self.numbers, other.numbers), _merged(self.names, other.names)
        )

    @classmethod
    def merged(cls, profiles: Iterable[Self]) -> Self:
        """Return all together; of none, one without rows."""
        return reduce(cls.merge, profiles, cls())

    def quantiles(self, column: str, shares: Sequence[float]) -> list[float]:
        """Return the values of a column of numbers that these shares of its rows do not exceed."""
        return self.numbers[column].quantiles(shares)

    def to_json(self) -> str:
        """Return it as text."""
        numbers = {name: each.told() for name, each in self.numbers.items()}
        names = {name: each.told() for name, each in self.names.items()}
        told = {"format": FORMAT, "rows": self.rows, "numbers": numbers, "names": names}
        return json.dumps(told, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return what `to_json` has written.

        Raises:
            ValueError: somebody else has written it.
        """
        try:
            told = json.loads(text)
            if told["format"] != FORMAT:
                raise ValueError(f"a profile of format {told['format']}, not {FORMAT}")
            numbers = {name: Numbers.read(each) for name, each in told["numbers"].items()}
            names = {name: Names.read(each) for name, each in told["names"].items()}
            return cls(Counter(told["rows"]), numbers, names)
        except (KeyError, TypeError, AttributeError, IndexError, RuntimeError) as error:
            raise ValueError(f"no profile: {error!r}") from error


def _values(row: PredictionRow) -> Iterable[tuple[str, Value]]:
    role = row["role"]
    # The challenger is shown what the champion is: counted once.
    if role == "champion":
        yield from ((f"feature/{name}", value) for name, value in row["features"].items())
    yield f"{role}/class", row["class_name"]
    own = {"confidence": row["confidence"], "outlier score": row["outlier_score"]}
    yield from ((f"{role}/{name}", value) for name, value in own.items() if value is not None)


def _merged(first: Mapping[str, Sketched], second: Mapping[str, Sketched]) -> dict[str, Sketched]:
    both = {name: first[name].merge(second[name]) for name in first.keys() & second.keys()}
    return {**first, **second, **both}

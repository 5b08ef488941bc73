"""Says of each column of a table what the lab can do with it, and why it leaves others out."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # pandas ships no types

from common.problem import BREAKING, LARGEST, Floats, Number, Problem, ProblemError, Table, Target
from common.table import DataError
from scripts.new_problem.reading import numbers_of
from scripts.new_problem.suspects import suspects

MOST_MISSING = 0.2  # of the cells of a column; the rows of the others are left out
MOST_NAMES = 100  # different names of a column
MOST_CLASSES = 20
LEAST_ROWS = 5  # of a class
RARE = 0.05  # a smaller share of the rows makes a class rare
MOST_SAME = 0.02  # of the rows may repeat another one's identifier
# A share of different texts from which on a column is an identifier or free text.
MOST_DIFFERENT = 0.5
IDENTIFIER = re.compile(r"(^|[\W_])(id|uuid|guid|index|idx|nr|no|number|key)$|^unnamed", re.IGNORECASE)
DATE = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}.*|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}.*|\d{1,2}:\d{2}(?::\d{2})?"
UNIT = re.compile(r"[(\[]([^()\[\]]+)[)\]]\s*$")
NO_UNIT = "?"


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers, with guessed limits of plausibility and the first number as its example."""

    name: str
    unit: str
    minimum: float
    maximum: float
    example: float


@dataclass(frozen=True)
class NameColumn:
    """A column of names."""

    name: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Look:
    """All that was found out about a table.

    Attributes:
        target: the column of the classes.
        classes: the classes, in order.
        numbers: the features that are numbers.
        names: the features that are names.
        left_out: the columns that are no features, with the reasons.
        suspects: the features that give the class alone, with the share of the rows, balanced over the classes.
        rows: the usable rows: the features and the target as text, without missing cells.
        notes: sentences on what a person should check.
    """

    target: str
    classes: tuple[str, ...]
    numbers: tuple[NumberColumn, ...]
    names: tuple[NameColumn, ...]
    left_out: Mapping[str, str]
    suspects: Mapping[str, float]
    rows: pd.DataFrame
    notes: tuple[str, ...]


def look(cells: pd.DataFrame, target: str) -> Look:
    """Look at all columns of a table of texts, in which None is a missing cell.

    Raises:
        DataError: there is no such target, it is no column of classes, or nothing is left to learn from.
    """
    if target not in cells.columns:
        raise DataError(f"there is no column {target!r}: the header has {', '.join(cells.columns)}")
    named = cells[cells[target].notna()]
    kept, rare = _classes(target, named[target])
    named = named[named[target].isin(kept)]
    columns: dict[str, NumberColumn | NameColumn] = {}
    left_out: dict[str, str] = {}
    for name in cells.columns.drop(target):
        found = _fault_of_name(name, list(columns), target) or _column(name, named[name])
        if isinstance(found, str):
            left_out[name] = found
        else:
            columns[name] = found
    if not columns:
        raise DataError(f"no column is left to learn from: {'; '.join(f'{k}: {v}' for k, v in left_out.items())}")
    rows = named[[*columns, target]].dropna().reset_index(drop=True)
    classes, rare_now = _classes(target, rows[target])
    if set(classes) != set(kept):
        raise DataError(f"class {', '.join(rare_now)} has too few rows without a missing cell: fill the cells")
    numbers = tuple(each for each in columns.values() if isinstance(each, NumberColumn))
    names = tuple(each for each in columns.values() if isinstance(each, NameColumn))
    return Look(
        target,
        classes,
        numbers,
        names,
        left_out,
        suspects(rows, target),
        rows,
        _notes(cells, rows, target, rare),
    )


def _classes(name: str, column: "pd.Series[str]") -> tuple[tuple[str, ...], Mapping[str, int]]:
    """Return the classes of a target with enough rows, in order, and the rows of the others.

    Raises:
        DataError: the column does not hold classes.
    """
    counts = column.value_counts()
    numbers = numbers_of(column)
    if numbers is not None and (len(counts) > MOST_CLASSES or not np.all(numbers == np.round(numbers))):
        raise DataError(
            f"column {name!r} holds quantities ({len(counts)} different numbers), and the lab predicts classes: make a "
            "new column with classes of it, such as low, middle and high, and take that as the target"
        )
    if _are_dates(column):
        raise DataError(
            f"column {name!r} holds dates, and the lab predicts classes: make a new column of what you want to know, "
            "such as `late` and `in time`"
        )
    if len(counts) > MOST_CLASSES:
        raise DataError(f"column {name!r} holds {len(counts)} different texts: a target has at most {MOST_CLASSES}")
    if broken := [each for each in counts.index if BREAKING.search(each)]:
        raise DataError(f"column {name!r}: {broken[0]!r} has a line break or a control character")
    kept = [str(each) for each in counts.index[counts >= LEAST_ROWS]]
    if len(kept) < 2:  # noqa: PLR2004  # the message says it
        raise DataError(f"column {name!r} has {len(kept)} classes with at least {LEAST_ROWS} rows: it needs two")
    kept.sort(key=float if numbers is not None else str)
    return tuple(kept), {str(each): int(count) for each, count in counts.items() if count < LEAST_ROWS}


def _fault_of_name(name: str, others: Sequence[str], target: str) -> str | None:
    """Return why a feature cannot have a name beside the features before it."""
    features = tuple(Number(each, "", "", 0, 1, 0) for each in (*others, name))
    try:
        Problem("new", features, Target(target, ("a", "b")), _load, list)
    except ProblemError as error:
        return str(error).removeprefix("problem new: ")
    return None


def _load(source: Path | None) -> Table:
    raise DataError(f"{source}: nobody reads the rows to check a name")


def _column(name: str, column: "pd.Series[str]") -> NumberColumn | NameColumn | str:
    """Return what a column is, or the reason why it is no feature."""
    known = column.dropna()
    if (missing := 1 - len(known) / len(column)) > MOST_MISSING:
        return f"missing in {missing:.0%} of the rows"
    if (known == known.iloc[0]).all():
        return f"always {known.iloc[0]!r}"
    numbers = numbers_of(known)
    return _name_column(name, known) if numbers is None else _number_column(name, numbers)


def _name_column(name: str, known: "pd.Series[str]") -> NameColumn | str:
    different = known.nunique()
    parsed = pd.to_numeric(known, errors="coerce")
    broken = known[known.map(lambda cell: bool(BREAKING.search(cell)))]
    faults = {
        "dates: make numbers of what matters in them, such as the month or the days since an event": _are_dates(known),
        f"numbers, but for {_first(known[parsed.isna()])}: correct such cells": _most(parsed.notna()),
        "nearly every row has its own: an identifier or free text": different > MOST_DIFFERENT * len(known),
        f"{different} different names: group them to at most {MOST_NAMES}": different > MOST_NAMES,
        f"{_first(broken)} has a line break or a control character": len(broken) > 0,
    }
    names = tuple(sorted(map(str, known.unique())))
    return next((reason for reason, is_so in faults.items() if is_so), None) or NameColumn(name, names)


def _first(column: "pd.Series[str]") -> str:
    return repr(column.iloc[0]) if len(column) else ""


def _are_dates(known: "pd.Series[str]") -> bool:
    return _most(known.str.fullmatch(DATE))


def _most(are_so: "pd.Series[bool]") -> bool:
    return bool(are_so.mean() > 1 - MOST_MISSING)


def _number_column(name: str, numbers: Floats) -> NumberColumn | str:
    low, high = float(numbers.min()), float(numbers.max())
    if max(abs(low), abs(high)) > LARGEST:
        return f"numbers beyond {LARGEST:.2g}, the largest float32"
    different = len(np.unique(numbers))
    is_whole = bool(np.all(numbers == np.round(numbers)))
    counts_rows = high - low + 1 < different * (1 + MOST_SAME)
    if is_whole and different > (1 - MOST_SAME) * len(numbers) and (counts_rows or IDENTIFIER.search(name)):
        return "every row has its own number: an identifier"
    unit = UNIT.search(name)
    minimum, maximum = 0.0 if low >= 0 else -_round_up(-2 * low), _round_up(2 * high) if high > 0 else 0.0
    return NumberColumn(name, unit[1] if unit else NO_UNIT, minimum, maximum, float(numbers[0]))


def _round_up(number: float) -> float:
    """Return the smallest number of the kind 1, 2, 5, 10, 20, 50 … that is not below a positive number."""
    power = 10.0 ** math.floor(math.log10(number))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= number)


def _notes(cells: pd.DataFrame, rows: pd.DataFrame, target: str, rare: Mapping[str, int]) -> tuple[str, ...]:
    counts = rows[target].value_counts()
    missing = int(cells[target].isna().sum())
    gone = len(cells) - missing - sum(rare.values()) - len(rows)
    twice = int(rows.duplicated().sum())
    found = [
        (f"rows left out because they have no class: {missing}", missing),
        (f"rows left out because a cell of a feature is missing: {gone}", gone),
        (f"rows that repeat another row, so that the same row may be learnt and tested: {twice}", twice),
        (f"class {counts.index[-1]!r} is rare ({counts.iloc[-1]} of {len(rows)} rows): watch its recall",
         counts.iloc[-1] < RARE * len(rows)),
        *((f"class {name!r} is left out with its rows ({count}, and {LEAST_ROWS} are the least): collect more", True)
          for name, count in rare.items()),
    ]  # fmt: skip
    return tuple(sentence for sentence, is_so in found if is_so)

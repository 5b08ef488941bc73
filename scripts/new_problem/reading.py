"""Reads a CSV file that nobody has prepared: any common separator, missing cells, decimal commas."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # pandas ships no types

from common.problem import Floats
from common.table import DataError

MOST_BYTES = 500_000_000
SEPARATORS = ",;\t|"
SAMPLE = 65_536  # characters from which the separator is found
# Cells that say in one way or another that a value is missing.
MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-"}
DECIMAL_COMMA = r"[+-]?\d+(?:,\d+)?(?:[eE][+-]?\d+)?"


def read(path: Path) -> pd.DataFrame:
    """Return the cells of a CSV file with a header as text without blanks around it; a missing cell is None.

    Numbers with a decimal comma get a point, if the comma does not separate the cells.

    Raises:
        DataError: the file is missing, too large, empty, not UTF-8, or damaged; or a column has no name or another
            column's name.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path} is larger than {MOST_BYTES // 1_000_000} MB: take some of its rows")
        with path.open(encoding="utf-8-sig", newline="") as file:
            sample = file.read(SAMPLE)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text: save it as `CSV UTF-8`") from None
    if not sample.strip():
        raise DataError(f"{path} is empty")
    separator = _separator(sample)
    _check_header(path, next(csv.reader(sample.splitlines(), delimiter=separator)))
    try:
        cells = pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {str(error).strip().splitlines()[-1]}") from None
    cells.columns = [str(name).strip() for name in cells.columns]
    cells = cells.apply(lambda column: column.fillna("").str.strip())
    cells = cells.where(~cells.apply(lambda column: column.str.lower().isin(MISSING)), None)
    if separator != ",":
        cells = cells.apply(_with_points)
    return cells.dropna(how="all").reset_index(drop=True)


def _separator(sample: str) -> str:
    """Return the separator that the header has most often."""
    header = sample.splitlines()[0]
    return max(SEPARATORS, key=header.count)


def _check_header(path: Path, header: list[str]) -> None:
    names = [name.strip() for name in header]
    for number, name in enumerate(names, 1):
        if not name:
            raise DataError(f"{path}, row 1, column {number}: no name; the first row must name the columns")
        if names.count(name) > 1:
            raise DataError(f"{path}, row 1, column {name}: twice in the header: rename or delete one of the two")


def _with_points(column: "pd.Series[str]") -> "pd.Series[str]":
    """Return a column with decimal points in its numbers, if most of its cells are numbers with decimal commas."""
    known = column.dropna()
    are_numbers = known[known.str.fullmatch(DECIMAL_COMMA)]
    if len(are_numbers) > len(known) / 2:
        return column.where(~column.index.isin(are_numbers.index), column.str.replace(",", ".", regex=False))
    return column


def numbers_of(column: "pd.Series[str]") -> Floats | None:
    """Return a column as finite numbers `[rows]`; None if a cell is none."""
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    has_underscore = column.str.contains("_", regex=False).any()
    return numbers if len(numbers) and np.isfinite(numbers).all() and not has_underscore else None

"""Reading and writing a problem's CSV files: feature columns in order, the label last, no header.

Raw data may have a header instead, and then its columns in any order, and others beside them.
"""

import csv
import io
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from common.problem import Feature, Problem, Rows, Table, Value


class DataError(ValueError):
    """A file does not hold what it should; the message is one line with file, row and column."""


def read_table(path: Path, problem: Problem, *, indices: bool) -> Table:
    """Read a CSV file of `problem`.

    Args:
        path: the file; blank lines at its end are ignored.
        problem: says which columns there are.
        indices: labels are indices into the classes (the files that preprocessing writes), not names.

    Raises:
        DataError: the file is missing, empty, not UTF-8, or a row has a missing or extra column, something that is
            not a finite number, or a label that is empty or unknown.
    """
    labels = _labels(problem, indices=indices)
    rows, found = [], []
    for row, cells in _in_order(path, problem):
        rows.append([_value(path, row, *each) for each in zip(problem.features, cells, strict=False)])
        found.append(_label(path, row, problem.target.name, cells[-1], labels))
    if not rows:
        raise DataError(f"{path}, row 1, column {problem.columns[0]}: missing, the file is empty")
    return Table(rows_array(rows, problem), np.array(found, dtype=np.int64))


def rows_array(rows: Sequence[Sequence[Value]], problem: Problem) -> Rows:
    """Return rows of features, each in order, as an array `[rows, features]`."""
    return np.array(rows, dtype=np.float64 if problem.is_numeric else object)


def table_bytes(table: Table, labels: Sequence[str]) -> bytes:
    """Return `table` as CSV; `labels[i]` is written for class `i`."""
    return "".join(csv_line(row, labels[y]) for row, y in zip(table.X.tolist(), table.y, strict=True)).encode()


def csv_line(features: Sequence[Value], label: str) -> str:
    """Return one row as it stands in the files, with its line end."""
    line = io.StringIO()
    cells = [value if isinstance(value, str) else repr(float(value)) for value in features]
    csv.writer(line, lineterminator="\n").writerow([*cells, label])
    return line.getvalue()


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        # Not splitlines, which also ends lines where no editor does, and would miscount them.
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError:
        raise DataError(f"{path} is missing: run `make data` (or `dvc pull`, if you set a remote)") from None
    except UnicodeDecodeError as error:
        row = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"{path}, row {row}: not UTF-8 text") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    while lines and not lines[-1].strip():
        lines.pop()
    for row, line in enumerate(lines, start=1):
        try:
            yield row, next(csv.reader([line], strict=True), [])
        except csv.Error as error:
            raise DataError(
                f"{path}, row {row}, column {line.count(',', 0, line.find(chr(34))) + 1}: {error}"
            ) from None


def _in_order(path: Path, problem: Problem) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of data with their columns in the problem's order, whatever a header says."""
    rows = _rows(path)
    first = next(rows, None)
    if first is None:
        return
    header = [name.strip() for name in first[1]]
    known = {problem.target.name, *problem.columns}
    # One that lacks a column is a header still, and told what it lacks.
    if problem.target.name not in header and len(known.intersection(header)) < len(known) / 2:
        for row, cells in itertools.chain([first], rows):
            _check_width(path, row, cells, problem)
            yield row, cells
        return
    places = _places(path, header, problem)
    for row, cells in rows:
        if len(cells) != len(header):
            raise DataError(f"{path}, row {row}: {len(cells)} columns, where the header has {len(header)}")
        yield row, [cells[place] for place in places]


def _places(path: Path, header: list[str], problem: Problem) -> list[int]:
    wanted = [*problem.columns, problem.target.name]
    if missing := [name for name in wanted if name not in header]:
        raise DataError(f"{path}, row 1, column {missing[0]}: missing in the header, which has {', '.join(header)}")
    return [header.index(name) for name in wanted]


def _check_width(path: Path, row: int, cells: list[str], problem: Problem) -> None:
    names = [*problem.columns, problem.target.name]
    if len(cells) == 1 and len(names) > 1:
        raise DataError(f"{path}, row {row}, column {names[1]}: missing; are the columns separated by commas?")
    if len(cells) < len(names):
        raise DataError(
            f"{path}, row {row}, column {names[len(cells)]}: missing ({len(cells)} of {len(names)} columns)"
        )
    if len(cells) > len(names):
        raise DataError(f"{path}, row {row}, column {len(names) + 1}: one too many ({names[-1]} should be the last)")


def _value(path: Path, row: int, feature: Feature, text: str) -> Value:
    if feature.kind == "number":
        return _number(path, row, feature.name, text)
    if not text.strip():
        raise DataError(f"{path}, row {row}, column {feature.name}: empty")
    return text.strip()


def _number(path: Path, row: int, column: str, text: str) -> float:
    try:
        value = float(text if "_" not in text else "")  # Python reads 3_5 as 35, nobody else does
    except ValueError:
        raise DataError(f"{path}, row {row}, column {column}: {text!r} is not a number") from None
    if not math.isfinite(value):
        raise DataError(f"{path}, row {row}, column {column}: {text!r} is not a finite number")
    return value


def _labels(problem: Problem, *, indices: bool) -> dict[str, int]:
    """Return the words for classes in a file, each with the index that it means."""
    classes = problem.target.classes
    if indices:
        return {str(index): index for index in range(len(classes))}
    words = {name: index for index, name in enumerate(classes)}
    return words | {word: words[name] for word, name in problem.target.spellings.items()}


def _label(path: Path, row: int, column: str, text: str, labels: Mapping[str, int]) -> int:
    name = text.strip()
    if name not in labels:
        what = f"unknown label {name!r}" if name else "empty label"
        raise DataError(f"{path}, row {row}, column {column}: {what}; known are {', '.join(labels)}")
    return labels[name]

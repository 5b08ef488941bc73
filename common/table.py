"""Reading and writing a problem's CSV files: the features in order, the label last, no header.

Raw data may have a header; then the columns may have any order, and there may be more of them.
"""

import csv
import io
import itertools
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from common.problem import BREAKING, LARGEST, Feature, Problem, Table, Value
from common.table_hints import hint_at_quantities, misquoted  # room: table_hints

SHOWN = 80  # characters of a cell in a message


class DataError(ValueError):
    """A file has wrong content; the message is one line with file, row and column."""


def read_table(path: Path, problem: Problem, *, indices: bool) -> Table:
    """Read a CSV file of `problem`.

    Args:
        path: the file; blank lines at its end are ignored. A quoted cell may have several lines; then errors name the
            row and its first line.
        problem: names the columns.
        indices: whether labels are indices of the classes, as preprocessing writes them, or names.

    Raises:
        DataError: the file is missing, empty or not UTF-8; or a row has a missing or extra column, a number that is not
            a finite float32, a name that does not fit into one line, or an empty or unknown label; or the header has a
            column twice.
    """
    labels = _labels(problem, indices=indices)
    rows, found = [], []
    records = _records(path, problem)
    for place, cells in records:
        rows.append([_value(place, *each) for each in zip(problem.features, cells, strict=False)])
        label = cells[-1].strip()
        if label not in labels:
            raise DataError(f"{place}, column {problem.target.name}: {_unknown(label, labels, records)}")
        found.append(labels[label])
    if not rows:
        raise DataError(f"{path}, row 1, column {problem.columns[0]}: missing, the file is empty")
    X = np.array(rows, dtype=np.float64 if problem.is_numeric else object)
    return Table(X, np.array(found, dtype=np.int64))


def table_bytes(table: Table, labels: Sequence[str]) -> bytes:
    """Return a table as CSV, with `labels[i]` as the label of class `i`."""
    return "".join(csv_line(row, labels[y]) for row, y in zip(table.X.tolist(), table.y, strict=True)).encode()


def csv_line(features: Sequence[Value], label: str) -> str:
    """Return one row as a line of CSV, with its line end."""
    line = io.StringIO()
    cells = [value if isinstance(value, str) else repr(float(value)) for value in features]
    csv.writer(line, lineterminator="\n").writerow([*cells, label])
    return line.getvalue()


def _lines(path: Path) -> list[str]:
    try:
        # `splitlines` also splits at characters such as U+2028, where no editor ends a line.
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
    return lines


def _rows(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each row's place and cells. The place is file and row, and the first line if it has another number."""
    lines = _lines(path)
    # The limit protects memory, but the whole file is in memory already.
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader((f"{line}\n" for line in lines), strict=True)
    for row in itertools.count(1):
        line = reader.line_num
        place = f"{path}, row {row}" if row == line + 1 else f"{path}, row {row} (line {line + 1})"
        try:
            cells = next(reader, None)
        except csv.Error as error:
            fault = str(error)
            fault = misquoted(lines[line:], error)  # room: table_hints
            raise DataError(f"{place}, {fault}") from None
        if cells is None:
            return
        yield place, cells


def _records(path: Path, problem: Problem) -> Iterator[tuple[str, list[str]]]:
    """Yield the place and the cells of each row of data, with the columns in the problem's order."""
    rows = _rows(path)
    first = next(rows, None)
    if first is None:
        return
    header = [name.strip() for name in first[1]]
    known = {problem.target.name, *problem.columns}
    # A row with the target's name, or with half of the names, is a header; if it lacks a column, the error names that.
    if problem.target.name not in header and len(known.intersection(header)) < len(known) / 2:
        for place, cells in itertools.chain([first], rows):
            _check_width(place, cells, problem)
            yield place, cells
        return
    places = _places(first[0], header, problem)
    for place, cells in rows:
        if len(cells) != len(header):
            raise DataError(f"{place}: {len(cells)} columns, but the header has {len(header)}")
        yield place, [cells[index] for index in places]


def _places(place: str, header: list[str], problem: Problem) -> list[int]:
    wanted = [*problem.columns, problem.target.name]
    if missing := [name for name in wanted if name not in header]:
        names = ", ".join(_cut(" ".join(name.split())) for name in header)
        raise DataError(f"{place}, column {missing[0]}: missing in the header, which has {names}")
    if twice := [name for name in wanted if header.count(name) > 1]:
        raise DataError(f"{place}, column {twice[0]}: twice in the header: rename or delete one of the two")
    return [header.index(name) for name in wanted]


def _check_width(place: str, cells: list[str], problem: Problem) -> None:
    names = [*problem.columns, problem.target.name]
    if len(cells) == 1 and len(names) > 1:
        raise DataError(f"{place}, column {names[1]}: missing; are the columns separated by commas?")
    if len(cells) < len(names):
        raise DataError(f"{place}, column {names[len(cells)]}: missing ({len(cells)} of {len(names)} columns)")
    if len(cells) > len(names):
        raise DataError(f"{place}, column {len(names) + 1}: one too many ({names[-1]} should be the last)")


def _value(place: str, feature: Feature, text: str) -> Value:
    if feature.kind == "number":
        return _number(place, feature.name, text)
    name = text.strip()
    if not name:
        raise DataError(f"{place}, column {feature.name}: empty")
    if BREAKING.search(name):
        raise DataError(f"{place}, column {feature.name}: {_cut(repr(name))} has a line break or a control character")
    return name


def _number(place: str, column: str, text: str) -> float:
    try:
        value = float(text if "_" not in text else "")  # only Python reads 3_5 as 35
    except ValueError:
        raise DataError(f"{place}, column {column}: {_cut(repr(text))} is not a number") from None
    if not math.isfinite(value):
        raise DataError(f"{place}, column {column}: {_cut(repr(text))} is not a finite number")
    if abs(value) > LARGEST:
        raise DataError(
            f"{place}, column {column}: {_cut(repr(text))} is beyond {LARGEST:.2g}, the largest "
            "float32, which is the type of number that models take"
        )
    return value


def _labels(problem: Problem, *, indices: bool) -> dict[str, int]:
    """Return the labels that a file may have, each with the index of its class."""
    classes = problem.target.classes
    if indices:
        return {str(index): index for index in range(len(classes))}
    words = {name: index for index, name in enumerate(classes)}
    return words | {word: words[name] for word, name in problem.target.spellings.items()}


def _unknown(label: str, known: Iterable[str], following: Iterator[tuple[str, list[str]]]) -> str:
    """Return the message on an unknown label; `following` has the rows after it."""
    what = f"unknown label {_cut(repr(label))}" if label else "empty label"
    hint = ""
    hint = hint_at_quantities(label, following)  # room: table_hints
    return f"{what}; known are {', '.join(known)}{hint}"


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"

"""The grader's own raw data: rows of iris in another order, with other class names, and with unusable rows."""

import csv
import importlib.util
import io
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FEATURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
TARGET = "class_name"
# Neither the order of the alphabet, nor that of their first rows, nor that of iris.
NAMES = ("Iris-pumila", "Iris-aphylla", "Iris-sibirica")
LEFT_AWAY = 20  # rows of the last class, so that a split that is not stratified shows
SEED = 20


@dataclass(frozen=True)
class RawRow:
    """The four lengths of a flower in cm, and the name of its class."""

    features: tuple[float, ...]
    class_name: str


@cache
def usable_rows() -> tuple[RawRow, ...]:
    """Return the usable rows, each once, in a random order that is always the same.

    The rows are Fisher's, from the copy that scikit-learn installs.
    """
    spec = importlib.util.find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("scikit-learn is not installed: the grader takes its rows of iris")
    path = Path(spec.submodule_search_locations[0]) / "datasets" / "data" / "iris.csv"
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    rows = [
        RawRow(tuple(map(float, values[:4])), NAMES[int(values[4])])
        for values in csv.reader(dict.fromkeys(lines))  # one row of iris stands there twice
    ]
    rows = rows[:-LEFT_AWAY]
    random.Random(SEED).shuffle(rows)  # noqa: S311 - an order, not a secret
    return tuple(rows)


def more_rows() -> list[RawRow]:
    """Return rows that are not among `usable_rows`: those of a change of the data, ten of each class."""
    known = {row.features for row in usable_rows()}
    moved = [
        RawRow(tuple(round(value + 0.01, 2) for value in row.features), row.class_name)
        for name in NAMES
        for row in [each for each in usable_rows() if each.class_name == name][:10]
    ]
    return [row for row in moved if row.features not in known]


def raw_csv(rows: Sequence[RawRow]) -> str:
    """Return data.csv: the rows, and between them exact duplicates and rows with missing values and texts."""
    lines = [[*map(str, row.features), row.class_name] for row in rows]
    a, b, c = (next([*map(str, row.features)] for row in rows if row.class_name == name) for name in NAMES)
    unusable = [
        [*a[:2], "", a[3], NAMES[0]],
        ["", *b[1:], NAMES[1]],
        [c[0], "three", *c[2:], NAMES[2]],
        [*a[:3], "n/a", NAMES[0]],
        [*c, ""],
    ]
    for place, line in enumerate([*unusable, *lines[3:9]]):
        lines.insert(20 * (place + 1), line)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[*FEATURES, TARGET], *lines])
    return text.getvalue()


def read_rows(path: Path, classes: Sequence[str]) -> list[RawRow]:
    """Return the rows of a student's CSV file; a class may be a name, or a number in the order of `classes`.

    Raises:
        ValueError: the file is not a CSV of four numbers and a class; the message names the line.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = [line for line in csv.reader(file) if line]
    if not lines:
        raise ValueError(f"{path.name} is empty")
    columns = [0, 1, 2, 3, 4]
    if not _is_number(lines[0][0]) or set(FEATURES) <= set(lines[0]):
        columns = _columns(lines.pop(0))
    if short := next((line for line in lines if len(line) <= max(columns)), None):
        raise ValueError(f"{path.name} has a line with {len(short)} values: {','.join(short)[:80]}")
    return [_row(path, number, [line[i] for i in columns], classes) for number, line in enumerate(lines, 2)]


def write_rows(path: Path, rows: Iterable[RawRow], classes: Sequence[str]) -> None:
    """Write other rows into a student's CSV file, in the form that its rows have."""
    lines = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    header = None if _is_number(lines[0][0]) and not set(FEATURES) <= set(lines[0]) else lines[0]
    columns = _columns(header) if header else [0, 1, 2, 3, len(lines[0]) - 1]
    as_name = lines[-1][columns[4]] in classes
    written = [header] if header else []
    for number, row in enumerate(rows):
        line = [str(number)] * len(lines[0])
        for column, value in zip(columns, row.features, strict=False):
            line[column] = str(value)
        line[columns[4]] = row.class_name if as_name else str(classes.index(row.class_name))
        written.append(line)
    path.unlink()  # the file may be a link into DVC's cache
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(written)


def counted(rows: Iterable[RawRow]) -> Counter[RawRow]:
    """Return how often each row is there."""
    return Counter(rows)


def _columns(header: Sequence[str]) -> list[int]:
    if not set(FEATURES) <= set(header):
        return [0, 1, 2, 3, len(header) - 1]
    features = [header.index(name) for name in FEATURES]
    others = [i for i in range(len(header)) if i not in features]
    return [*features, header.index(TARGET) if TARGET in header else (others or [len(header) - 1])[-1]]


def _row(path: Path, number: int, values: Sequence[str], classes: Sequence[str]) -> RawRow:
    features = tuple(float(value) if _is_number(value) else float("nan") for value in values[:4])
    name = values[4]
    if name not in classes and _is_number(name):
        index = float(name)
        if index not in range(len(classes)):
            raise ValueError(f"{path.name}, line {number}: class {name} is not a number in classes.json")
        name = classes[int(index)]
    return RawRow(tuple(round(value, 6) for value in features), name)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

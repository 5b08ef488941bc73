"""Hints for errors in CSV files: the column with a wrong quote, and a target of quantities instead of classes."""

import csv
import itertools
import math
from collections.abc import Iterable, Iterator
from contextlib import suppress

# A target with more than 20 different whole numbers in 1 000 rows is a quantity; with fewer, they are codes of classes.
MAX_CODES, CODE_ROWS = 20, 1000


def misquoted(lines: list[str], error: csv.Error) -> str:
    """Return the column with the wrong quote in the row at the start of `lines`, and the fault."""
    if str(error) == "unexpected end of data":
        cells = next(csv.reader(f"{line}\n" for line in lines))
        return f"column {len(cells)}: a quote that is never closed"
    return f"column {lines[0].count(',', 0, lines[0].find(chr(34))) + 1}: {error}"


def hint_at_quantities(label: str, following: Iterator[tuple[str, list[str]]]) -> str:
    """Return the end of a message on an unknown label if it and the labels of the next rows are quantities.

    `following` yields place and cells of each row, with the label last; an error of a row ends the look.
    """
    labels = [label]
    with suppress(ValueError):
        labels.extend(cells[-1] for _, cells in itertools.islice(following, CODE_ROWS))
    return "; the lab predicts classes, and these labels are quantities" if _are_quantities(labels) else ""


def _are_quantities(labels: Iterable[str]) -> bool:
    numbers = set()
    for label in labels:
        with suppress(ValueError):
            numbers.add(float(label))
    finite = [number for number in numbers if math.isfinite(number)]
    return len(finite) > MAX_CODES or not all(number.is_integer() for number in finite)

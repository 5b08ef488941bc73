"""Split raw data into train.csv, test.csv and later.csv, and write classes.json; `dvc repro` runs it per problem."""

import argparse
import json
import logging
import sys
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from common.files import write_atomic
from common.precision import merged_columns  # room: precision
from common.problem import LARGEST, Problem, ProblemError, Table, get_problem
from common.settings import SettingsError, load_settings
from common.split import split as split_for_validation
from common.table import DataError, table_bytes

SEED = 42
# Least number of rows of each class: to split the data, to learn and validate, to test.
NEEDED = {"data.csv": 3, "train.csv": 2, "test.csv": 1}

logger = logging.getLogger(__name__)


def split(table: Table, share: float) -> tuple[Table, Table]:
    """Split off a share of the rows, the same rows at every run and the same share of each class; return both parts.

    Raises:
        ValueError: a class has fewer than two rows, so it cannot be in both parts.
    """
    if share == 0:
        return table, Table(table.X[:0], table.y[:0])
    X_most, X_apart, y_most, y_apart = train_test_split(
        table.X, table.y, test_size=share, random_state=SEED, stratify=table.y
    )
    return Table(X_most, y_most), Table(X_apart, y_apart)


def check_classes(problem: Problem, part: Table, name: str) -> None:
    """Raise `ValueError` if a class has too few rows in the part that will become the file `name`."""
    counts = np.bincount(part.y, minlength=len(problem.target.classes)).tolist()
    for class_name, count in zip(problem.target.classes, counts, strict=True):
        if count < NEEDED[name]:
            rows = "1 row" if count == 1 else f"{count} rows"
            raise ValueError(f"class {class_name!r} has {rows} in {name}, and needs {NEEDED[name]} at least")


def check_numbers(problem: Problem, table: Table, source: Path) -> None:
    """Raise `DataError` if the problem's `load` returns a number that float32 cannot hold."""
    for feature, column in zip(problem.features, table.X.T, strict=True):
        values = column.astype(np.float64) if feature.kind == "number" else np.zeros(0)
        for row in np.flatnonzero(~(np.abs(values) <= LARGEST))[:1].tolist():
            raise DataError(
                f"{source}, column {feature.name}: `load` of the problem makes {values[row]} of it in row {row + 1}, "
                "and models are asked in finite numbers of float32"
            )


def preprocess(problem: Problem, folder: Path) -> dict[str, int]:
    """Split `folder`/data.csv into train.csv, test.csv and later.csv beside it, with the class names in classes.json.

    All contents are made before the first file is written. later.csv is empty if the problem sets no rows aside. A
    warning is logged for columns that lose different values in float32.

    Returns:
        The number of rows by file name, without empty files.

    Raises:
        DataError: data.csv is damaged, or has too few rows of a class to train and to test.
    """
    source = folder / "data.csv"
    try:
        table = problem.load(source)
        check_numbers(problem, table, source)
        for warning in merged_columns(problem, table):  # room: precision
            logger.warning("preprocess: %s, %s", source, warning)  # room: precision
        check_classes(problem, table, "data.csv")
        rest, test = split(table, problem.test_share)
        train, later = split(rest, problem.later_share / (1 - problem.test_share))
        check_classes(problem, train, "train.csv")
        check_classes(problem, test, "test.csv")
        split_for_validation(train)
    except DataError:
        raise
    except ValueError as error:
        raise DataError(f"{source}: cannot be split: {error}") from error
    labels = [str(index) for index in range(len(problem.target.classes))]
    parts = {"train.csv": train, "test.csv": test, "later.csv": later}
    contents = {name: table_bytes(part, labels) for name, part in parts.items()}
    contents["classes.json"] = json.dumps(problem.target.classes).encode() + b"\n"
    for name, content in contents.items():
        write_atomic(folder / name, content)
    return {name: len(part.y) for name, part in parts.items() if len(part.y)}


def main() -> None:
    """Preprocess the problem that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problem", nargs="?", help="a file of problems/ (default: the setting PROBLEM)")
    arguments = parser.parse_args()
    try:
        settings = load_settings(problem=arguments.problem)
        rows = preprocess(get_problem(settings.problem), settings.data_dir)
    except (DataError, ProblemError, SettingsError) as error:
        sys.exit(f"preprocess: {error}")
    print(f"{settings.problem}: " + ", ".join(f"{count} rows in {name}" for name, count in rows.items()))


if __name__ == "__main__":
    main()

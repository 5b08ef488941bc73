"""Raw data -> train.csv, test.csv, later.csv, classes.json. The stage that `dvc repro` runs for each problem."""

import argparse
import json
import sys
from pathlib import Path

from sklearn.model_selection import train_test_split

from common.files import write_atomic
from common.problem import Problem, ProblemError, Table, get_problem
from common.settings import SettingsError, load_settings
from common.table import DataError, table_bytes

SEED = 42


def split(table: Table, share: float) -> tuple[Table, Table]:
    """Return most rows, and a share of them apart: the same at every run, with the same share of each class.

    Raises:
        ValueError: a class has fewer than two rows, so that it cannot be in both.
    """
    if share == 0:
        return table, Table(table.X[:0], table.y[:0])
    X_most, X_apart, y_most, y_apart = train_test_split(
        table.X, table.y, test_size=share, random_state=SEED, stratify=table.y
    )
    return Table(X_most, y_most), Table(X_apart, y_apart)


def preprocess(problem: Problem, folder: Path) -> dict[str, int]:
    """Split `folder`/data.csv into train.csv, test.csv and later.csv beside it, with the class names in classes.json.

    Every file is made before the first is written; later.csv is empty where the problem sets nothing aside. Returns the
    number of rows by file name, for those that have any.

    Raises:
        DataError: data.csv does not hold what it should.
    """
    source = folder / "data.csv"
    try:
        rest, test = split(problem.load(source), problem.test_share)
        train, later = split(rest, problem.later_share / (1 - problem.test_share))
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
        settings = load_settings(**({"problem": arguments.problem} if arguments.problem else {}))
        rows = preprocess(get_problem(settings.problem), settings.data_dir)
    except (DataError, ProblemError, SettingsError) as error:
        sys.exit(f"preprocess: {error}")
    print(f"{settings.problem}: " + ", ".join(f"{count} rows in {name}" for name, count in rows.items()))


if __name__ == "__main__":
    main()

"""Raw data -> train.csv, test.csv, classes.json. The stage that `dvc repro` runs for each problem."""

import argparse
import json
import sys
from pathlib import Path

from sklearn.model_selection import train_test_split

from common.files import write_atomic
from common.problem import Problem, Table, UnknownProblemError, get_problem
from common.settings import SettingsError, load_settings
from common.table import DataError, table_bytes

SEED = 42


def split(table: Table, test_share: float) -> tuple[Table, Table]:
    """Return training and test rows, the same at every run, with the same share of each class.

    Raises:
        ValueError: a class has fewer than two rows, so that it cannot be in both.
    """
    X_train, X_test, y_train, y_test = train_test_split(
        table.X, table.y, test_size=test_share, random_state=SEED, stratify=table.y
    )
    return Table(X_train, y_train), Table(X_test, y_test)


def preprocess(problem: Problem, folder: Path) -> dict[str, int]:
    """Split `folder`/data.csv into train.csv and test.csv beside it, with the class names in classes.json.

    Every file is made before the first is written. Returns the number of rows by file name.

    Raises:
        DataError: data.csv does not hold what it should.
    """
    source = folder / "data.csv"
    try:
        train, test = split(problem.load(source), problem.test_share)
    except DataError:
        raise
    except ValueError as error:
        raise DataError(f"{source}: cannot be split: {error}") from error
    labels = [str(index) for index in range(len(problem.target.classes))]
    contents = {
        "train.csv": table_bytes(train, labels),
        "test.csv": table_bytes(test, labels),
        "classes.json": json.dumps(problem.target.classes).encode() + b"\n",
    }
    for name, content in contents.items():
        write_atomic(folder / name, content)
    return {"train.csv": len(train.y), "test.csv": len(test.y)}


def main() -> None:
    """Preprocess the problem that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problem", nargs="?", help="a file of problems/ (default: the setting PROBLEM)")
    arguments = parser.parse_args()
    try:
        settings = load_settings(**({"problem": arguments.problem} if arguments.problem else {}))
        rows = preprocess(get_problem(settings.problem), settings.data_dir)
    except (DataError, UnknownProblemError, SettingsError) as error:
        sys.exit(f"preprocess: {error}")
    print(f"{settings.problem}: " + ", ".join(f"{count} rows in {name}" for name, count in rows.items()))


if __name__ == "__main__":
    main()

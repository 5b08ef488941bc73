"""Write the file of a new problem from a CSV file: `python -m scripts.new_problem FILE.csv --target COLUMN`."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from common.problem import ProblemError
from common.table import DataError
from scripts.new_problem.looking import NO_UNIT, Look, look
from scripts.new_problem.reading import read
from scripts.new_problem.writing import check, check_name, name_of, put, text_of

SHOWN = 5  # names of a column in the table


def main(arguments: Sequence[str] | None = None) -> None:
    """Look at a CSV file, write the problem, and say what a person should check."""
    parser = argparse.ArgumentParser(prog="python -m scripts.new_problem", description=__doc__)
    parser.add_argument("file", type=Path, help="a CSV file whose first row names the columns")
    parser.add_argument("--target", required=True, help="the column with the classes")
    parser.add_argument("--name", help="the name of the problem (default: made from the name of the file)")
    given = parser.parse_args(arguments)
    name = given.name or name_of(given.file)
    try:
        check_name(name)
        found = look(read(given.file), given.target)
        text = text_of(name, found)
        with TemporaryDirectory() as folder:
            check(name, text, found, Path(folder))
        put(name, text, found)
    except (DataError, ProblemError, OSError) as error:
        sys.exit(f"new_problem: {error}")
    Console().print(_table(found))
    for number, sentence in enumerate(_to_check(name, found), 1):
        print(f"{number}. {sentence}")
    print(
        f"\nwritten: problems/{name}.py, data/{name}/data.csv ({len(found.rows)} rows), a line in params.yaml\n"
        f"next:\n  dvc add data/{name}/data.csv\n  dvc repro preprocess@{name}\n"
        f"  echo PROBLEM={name} >> .env\n  make up"
    )


def _table(found: Look) -> Table:
    table = Table("column", "is", "the lab takes", title=f"{len(found.rows)} usable rows")
    for number in found.numbers:
        limits = f"{number.minimum:g} to {number.maximum:g}"
        table.add_row(number.name, "a number", limits if number.unit == NO_UNIT else f"{limits} {number.unit}")
    for names in found.names:
        more = f" and {len(names.names) - SHOWN} more" if len(names.names) > SHOWN else ""
        table.add_row(names.name, "names", ", ".join(names.names[:SHOWN]) + more)
    table.add_row(found.target, "the target", ", ".join(found.classes))
    for column, reason in found.left_out.items():
        table.add_row(column, "left out", reason)
    return table


def _to_check(name: str, found: Look) -> Iterator[str]:
    """Yield what a person should look at in the file, the worst first."""
    for column, share in found.suspects.items():
        yield (
            f"{column} alone gives the class in {share:.1%} of rows that the check has not seen. Is it known before "
            "the class is? If somebody writes it down afterwards, delete its line."
        )
    yield from (f"{note[0].upper()}{note[1:]}." for note in found.notes)
    if found.left_out:
        yield "Columns are left out, for the reasons in the table."
    if found.numbers:
        yield f"The limits in problems/{name}.py are about twice the largest value: make them what is plausible."
    if unknown := sum(column.unit == NO_UNIT for column in found.numbers):
        yield f'Numbers without a unit in the name of their column: {unknown}. Write the unit in the place of the "?".'
    if all(each.lstrip("-").isdigit() for each in found.classes):
        yield "The classes are called by numbers: `Target(…, spellings={…})` gives them names."


if __name__ == "__main__":
    main()

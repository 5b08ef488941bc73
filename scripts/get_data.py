"""Write data/<problem>/data.csv, from the problem's own source or from a file of yours."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path

from common.files import write_atomic
from common.problem import Problem, ProblemError, Table, get_problem
from common.settings import Settings, SettingsError, load_settings
from common.table import DataError, table_bytes
from scripts.ports import listed_problems


def write_data(path: Path, content: bytes, *, force: bool) -> str:
    """Write `content` to `path`, but keep a file with other content unless `force`; return a line that says so."""
    if path.exists() and path.read_bytes() == content:
        return f"{path}: already there"
    if path.exists() and not force:
        return f"{path}: kept, although it holds other data (--force replaces it)"
    write_atomic(path, content)
    return f"{path}: written"


def get(settings: Settings, source: Path | None, *, force: bool, share: tuple[str, float] | None = None) -> str:
    """Write the raw data of the chosen problem, from its own source or from a file; return a line for the user.

    With a `share` of a class the rows are synthetic, as in `synthetic`.
    """
    problem = get_problem(settings.problem)
    table = synthetic(problem, *share) if share else problem.load(source)
    content = table_bytes(table, problem.target.classes)
    return write_data(settings.data_dir / "data.csv", content, force=force)


def synthetic(problem: Problem, class_name: str, share: float) -> Table:
    """Return synthetic rows of a problem, of which a share has a class.

    The problem's file makes them, if it has a function `synthetic`, which takes the share of the second class.

    Raises:
        DataError: it has no such function, or the class is unknown, or the share is none between 0 and 1.
    """
    make = getattr(import_module(f"problems.{problem.name}"), "synthetic", None)
    if make is None:
        raise DataError(f"problem {problem.name} makes no synthetic rows: --share is for travel_insurance")
    if class_name not in (classes := problem.target.classes):
        raise DataError(f"--share: unknown class {class_name!r}; known are {', '.join(classes)}")
    if not 0 < share < 1:
        raise DataError(f"--share: {share:g} is no share between 0 and 1")
    found: Table = make(share if class_name == classes[1] else 1 - share)
    return found


def share_of(text: str) -> tuple[str, float]:
    """Return class and share from `CLASS=SHARE`."""
    class_name, _, share = text.rpartition("=")
    return class_name, float(share)


def get_missing(problems: Iterable[str]) -> Iterator[str]:
    """Write the raw data of the problems that have none; yield a line for each."""
    for name in problems:
        settings = load_settings(problem=name)
        if not (settings.data_dir / "data.csv").exists():
            yield get(settings, None, force=False)


def main() -> None:
    """Write the raw data of the problem that the command line names, or of all."""
    parser = argparse.ArgumentParser(prog="python -m scripts.get_data", description=__doc__)
    parser.add_argument("problem", nargs="?", help="a file of problems/ (default: the setting PROBLEM)")
    parser.add_argument("--all", action="store_true", help="all problems in params.yaml that have no data yet")
    parser.add_argument("--from", dest="source", type=Path, metavar="FILE", help="your own copy of the raw data")
    parser.add_argument(
        "--share", type=share_of, metavar="CLASS=SHARE", help="synthetic rows with this share of a class"
    )
    parser.add_argument("--force", action="store_true", help="replace a data.csv that holds something else")
    arguments = parser.parse_args()
    if arguments.all and (arguments.problem or arguments.source or arguments.share or arguments.force):
        parser.error("--all goes with nothing else")
    if arguments.source and arguments.share:
        parser.error("--share makes rows, and goes with no file")
    try:
        if arguments.all:
            done = get_missing(listed_problems())
        else:
            settings = load_settings(problem=arguments.problem)
            done = iter([get(settings, arguments.source, force=arguments.force, share=arguments.share)])
        for line in done:
            print(line)
    except (DataError, ProblemError, SettingsError) as error:
        sys.exit(f"get_data: {error}")


if __name__ == "__main__":
    main()

"""Write data/<problem>/data.csv, from the problem's own source or from a file of yours."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from common.files import write_atomic
from common.problem import ProblemError, get_problem
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


def get(settings: Settings, source: Path | None, *, force: bool) -> str:
    """Write the raw data of the chosen problem, from its own source or from a file; return a line for the user."""
    problem = get_problem(settings.problem)
    content = table_bytes(problem.load(source), problem.target.classes)
    return write_data(settings.data_dir / "data.csv", content, force=force)


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
    parser.add_argument("--force", action="store_true", help="replace a data.csv that holds something else")
    arguments = parser.parse_args()
    if arguments.all and (arguments.problem or arguments.source or arguments.force):
        parser.error("--all goes with nothing else")
    try:
        if arguments.all:
            done = get_missing(listed_problems())
        else:
            done = iter([get(load_settings(problem=arguments.problem), arguments.source, force=arguments.force)])
        for line in done:
            print(line)
    except (DataError, ProblemError, SettingsError) as error:
        sys.exit(f"get_data: {error}")


if __name__ == "__main__":
    main()

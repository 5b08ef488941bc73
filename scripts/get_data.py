"""Write data/<problem>/data.csv, from the problem's own source or from a file of yours."""

import argparse
import sys
from pathlib import Path

from common.files import write_atomic
from common.problem import UnknownProblemError, get_problem
from common.settings import SettingsError, load_settings
from common.table import DataError, table_bytes


def write_data(path: Path, content: bytes, *, force: bool) -> str:
    """Write `content` to `path`, unless there is something else that might be somebody's; return what was done."""
    if path.exists() and path.read_bytes() == content:
        return f"{path}: already there"
    if path.exists() and not force:
        return f"{path}: kept, although it holds other data (--force replaces it)"
    write_atomic(path, content)
    return f"{path}: written"


def main() -> None:
    """Write the raw data of the problem that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m scripts.get_data", description=__doc__)
    parser.add_argument("problem", nargs="?", help="a file of problems/ (default: the setting PROBLEM)")
    parser.add_argument("--from", dest="source", type=Path, metavar="FILE", help="your own copy of the raw data")
    parser.add_argument("--force", action="store_true", help="replace a data.csv that holds something else")
    arguments = parser.parse_args()
    try:
        settings = load_settings(**({"problem": arguments.problem} if arguments.problem else {}))
        problem = get_problem(settings.problem)
        content = table_bytes(problem.load(arguments.source), problem.target.classes)
    except (DataError, UnknownProblemError, SettingsError) as error:
        sys.exit(f"get_data: {error}")
    print(write_data(settings.data_dir / "data.csv", content, force=arguments.force))


if __name__ == "__main__":
    main()

"""The lesson's commands: `python -m lesson start FOLDER`, and `python -m lesson grade` in a student's project."""

import argparse
import sys
from pathlib import Path

from lesson.grading import main as grade
from lesson.start import StartError, start

NEXT = """{folder}: the starting project is written. Next:

  cd {folder}
  git init
  dvc init

Then open tasks.md there, and begin with task 1. `make grade` (PowerShell: ./grade.ps1) says how far you are."""


def main(arguments: list[str]) -> int:
    """Run a command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m lesson", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    starting = commands.add_parser("start", help="write the starting project to a new folder")
    starting.add_argument("folder", type=Path)
    commands.add_parser("grade", help="see how the project in this folder behaves", add_help=False)
    if arguments[:1] == ["grade"]:
        # The grader has options of its own.
        return grade(arguments[1:])
    try:
        folder = start(parser.parse_args(arguments).folder)
    except StartError as error:
        sys.exit(f"lesson: {error}")
    print(NEXT.format(folder=folder))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

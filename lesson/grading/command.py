"""`python -m lesson grade`: grade the project in a folder, and print the marks."""

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lesson.grading.grade import ALL, Conditions, grade
from lesson.grading.limits import TimeLimits
from lesson.grading.outputs import as_json, as_markdown, as_table, total_line
from lesson.grading.scratch import ProjectError

EXPLANATION = """Each task is graded by what the programs do, in a copy of the folder with other data, on free ports.
Nothing in the folder is changed, nothing is sent anywhere, and everything that was started is ended.
The exit code is 0 if no point was lost in tasks 1 to 4, 1 if one was, and 2 if the folder cannot be graded."""


def arguments_of(words: Sequence[str]) -> argparse.Namespace:
    """Return the arguments of the command."""
    parser = argparse.ArgumentParser(prog="python -m lesson grade", description=EXPLANATION)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="the project; without it, this folder")
    parser.add_argument("--only", type=int, choices=ALL, action="append", metavar="N", help="grade only task N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the marks as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the marks as Markdown")
    parser.add_argument("--hand-in", type=Path, metavar="FOLDER", help="write the hand-in list, marks and pictures")
    parser.add_argument("--seconds", type=float, default=TimeLimits().all, help="the time for everything")
    parser.add_argument("--quiet", action="store_true", help="print the sum only")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    """Grade as the arguments say; return the exit code."""
    from rich.console import Console

    options = arguments_of(words)
    console = Console()
    # SIGTERM becomes an exception, so that everything that was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    given = Conditions(replace(TimeLimits(), all=options.seconds))
    say = (lambda _: None) if options.quiet else (lambda line: console.print(f"▶ {line}", highlight=False))
    try:
        marks, papers = grade(options.folder, options.only or ALL, given=given, pictures_in=options.hand_in, say=say)
    except ProjectError as error:
        print(f"grade: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("grade: stopped; everything that was started is ended", file=sys.stderr)
        return 130
    if options.json:
        options.json.write_text(as_json(marks), encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(as_markdown(marks), encoding="utf-8")
    if options.hand_in:
        (options.hand_in / "marks.md").write_text(as_markdown(marks), encoding="utf-8")
        (options.hand_in / "hand-in.md").write_text(papers.list_markdown(), encoding="utf-8")
    console.print(total_line(marks) if options.quiet else as_table(marks, console.width), highlight=False)
    totals = marks.totals()
    return 0 if totals["points"] == totals["of"] else 1

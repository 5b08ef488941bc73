"""Check how docstrings and comments begin: `python -m scripts.check_words`, part of `make lint`.

A sentence that opens with a word such as *what* or *whoever* leaves its readers to find the subject. The list has the
openings that this project has no use for.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path

from common.settings import PROJECT

OPENINGS = re.compile(
    r"(What|Whatever|Which|Whichever|Who|Whoever|Whose|Those|Of which|Of whom|Likewise|The same|That|There|It|They)\b",
    re.IGNORECASE,
)
LEFT_OUT = {".venv", ".demo", ".lab", ".git"}


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Return each docstring, and each comment that begins a line, of a Python file with its line number."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
            text := ast.get_docstring(node)
        ):
            yield node.body[0].lineno, text
    before = -1  # no comment yet; a comment in line 1 is a text of its own
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            # The lines of one comment are one text; a comment behind code is a text of its own.
            if token.start[0] != before + 1 or token.line.strip() != token.string:
                yield token.start[0], token.string.lstrip("#: ")
            before = token.start[0]


def unclear(source: str) -> list[tuple[int, str]]:
    """Return the line number and the first line of each text that opens without a subject."""
    return [(line, text.splitlines()[0]) for line, text in texts(source) if text and OPENINGS.match(text)]


def main(arguments: Sequence[str]) -> int:
    """Print each opening to be written again, in the files and folders named, or in all; return the exit code."""
    places = [Path(each) for each in arguments] or [PROJECT]
    paths = [path for place in places for path in ([place] if place.is_file() else sorted(place.rglob("*.py")))]
    found = [
        f"{path}:{line}: {text}"
        for path in paths
        if not LEFT_OUT & set(path.parts)
        for line, text in unclear(path.read_text(encoding="utf-8"))
    ]
    print("\n".join([*found, f"{len(found)} texts open without a subject"] if found else ["all texts open well"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

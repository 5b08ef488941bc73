"""The marks as a table for the terminal, as Markdown and as JSON."""

import json
from typing import Any

from lesson.grading.criteria import LEARNING, TASKS
from lesson.grading.marks import Mark, MarkSheet

COLOURS = {"passed": "green", "failed": "red", "not reached": "yellow", "not checked": "cyan"}
TEXTS = ("seen", "expected", "try")
WIDE = 120  # characters
SIGNS = {"passed": "✓", "failed": "✗", "not reached": "…", "not checked": "–"}


def points(mark: Mark) -> str:
    """Return the points of a mark beside its possible points."""
    return f"– of {mark.criterion.points}" if not mark.possible else f"{mark.points} of {mark.possible}"


def total_line(sheet: MarkSheet) -> str:
    """Return the sum in a sentence."""
    totals = sheet.totals()
    parts = [f"{totals['points']} of {totals['of']} points"]
    if LEARNING in sheet.tasks:
        parts.append(f"{totals['bonus']} of {totals['bonus_of']} for the optional task")
    if unchecked := [mark for mark in sheet.marks() if mark.state == "not checked"]:
        left_out = sum(mark.criterion.points for mark in unchecked)
        parts.append(f"{left_out} points were not checked and do not count")
    return "; ".join(parts)


def as_table(sheet: MarkSheet, width: int) -> Any:
    """Return the table for a terminal of a width in characters; a narrow one has the three texts below each other."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=total_line(sheet), show_lines=True)
    table.add_column("task", no_wrap=True)
    table.add_column("points", no_wrap=True, justify="right")
    for name in TEXTS if width >= WIDE else ["what was seen, expected, and what to try"]:
        table.add_column(name, ratio=1, overflow="fold")
    for mark in sheet.marks():
        task = f"{SIGNS[mark.state]} {_number(mark)}{mark.criterion.title}"
        texts = [mark.seen, mark.criterion.expected, mark.advice]
        if width < WIDE:
            texts = ["\n".join(f"{name}: {text}" for name, text in zip(TEXTS, texts, strict=True) if text)]
        table.add_row(*map(Text, (task, points(mark), *texts)), style=COLOURS[mark.state])
    return table


def as_markdown(sheet: MarkSheet) -> str:
    """Return the marks as a page in Markdown, such as the summary of a GitHub job."""
    lines = [f"# {total_line(sheet)}", ""]
    for task in sorted(sheet.tasks):
        marks = [mark for mark in sheet.marks() if mark.criterion.task == task]
        lines += [
            f"## {TASKS[task].capitalize()}",
            "",
            "| | points | seen | expected | try |",
            "|---|---:|---|---|---|",
        ]
        for mark in marks:
            cells = (
                f"{SIGNS[mark.state]} {mark.criterion.title}",
                points(mark),
                mark.seen,
                mark.criterion.expected,
                mark.advice,
            )
            lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
        lines.append("")
    return "\n".join(lines)


def as_json(sheet: MarkSheet) -> str:
    """Return the marks as JSON."""
    return json.dumps(sheet.as_json(), indent=2, ensure_ascii=False) + "\n"


def _number(mark: Mark) -> str:
    return f"{mark.criterion.task} " if mark.criterion.task else ""


def _cell(text: str) -> str:
    """Return a text that neither ends the cell of a table nor becomes HTML."""
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())

"""Writing corrections to finetune.csv, each once, whatever is retried or killed."""

import math
import re
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from common.files import write_atomic
from common.problem import TEXT, Feature, Problem
from common.store import Store
from common.store.suggestions import TRAIN_AT, Suggestion
from common.table import csv_line


class BadCorrectionError(ValueError):
    """A correction that no model can learn from."""


def append_corrections(store: Store, problem: Problem, suggestion: Suggestion, path: Path) -> int:
    """Write a suggestion to the file at `path`, and others that have been handed over, up to the next training.

    The others' own runs find them done: a burst of corrections need not wait for a run each. Every row is
    reserved in the store before it is written and noted there afterwards; what was reserved and not noted
    (the process ended in between) is settled first, by looking whether the file has that row. The caller holds
    the lock of the file.

    Returns:
        The number of corrections that wait for the next training.

    Raises:
        BadCorrectionError: a feature of `suggestion` is missing or not finite, or its class is unknown; nothing is
            written.
    """
    _line(problem, suggestion)
    store.suggestions.add(suggestion)
    for unfinished in store.suggestions.unfinished_rows(problem.name):
        _settle(store, problem, unfinished, path)
    remove_refused(store, problem, path)
    known = store.suggestions.get(suggestion.id)
    if known is not None and known.state in ("received", "delivered"):
        _append(store, problem, known, path)
    waiting = len(store.suggestions.waiting(problem.name))
    for other in store.suggestions.handed_over(problem.name, limit=max(TRAIN_AT - waiting, 0)):
        with suppress(BadCorrectionError):  # its own run says why
            _append(store, problem, other, path)
            waiting += 1
    return waiting


def remove_refused(store: Store, problem: Problem, path: Path) -> None:
    """Take the rows of refused corrections out of the file at `path`; the store keeps them.

    The file is replaced before that is noted. If the process ends in between, the next attempt sees from the number of
    equal rows that are to stay whether a row has gone already. The caller holds the lock of the file.
    """
    refused = store.suggestions.rows_of_refused(problem.name)
    if not refused:
        return
    stay = Counter(_known_line(problem, kept) for kept in store.suggestions.rows_to_keep(problem.name))
    lines = _lines(path)
    lines.reverse()  # of equal rows the last one goes
    for line in [_known_line(problem, each) for each in refused]:
        if line in lines and lines.count(line) > stay[line]:
            lines.remove(line)
    write_atomic(path, "".join(reversed(lines)).encode())
    store.suggestions.rows_removed([each.id for each in refused])


def _append(store: Store, problem: Problem, suggestion: Suggestion, path: Path) -> None:
    _line(problem, suggestion)
    reserved = replace(suggestion, row_number=len(_lines(path)))
    store.suggestions.reserve_row(reserved)
    _settle(store, problem, reserved, path)


def _settle(store: Store, problem: Problem, reserved: Suggestion, path: Path) -> None:
    lines, line = _lines(path), _line(problem, reserved)
    # From there on, because people may have added rows in the meantime.
    if line not in lines[reserved.row_number :]:
        write_atomic(path, "".join([*lines, line]).encode())
    store.suggestions.row_written(reserved.id)


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    return [f"{line}\n" for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _is_value(feature: Feature, value: object) -> bool:
    if feature.kind == "category":
        return isinstance(value, str) and re.fullmatch(TEXT, value) is not None
    return isinstance(value, int | float) and math.isfinite(value)


def _known_line(problem: Problem, suggestion: Suggestion) -> str | None:
    """Return the row of a correction; None if the problem has other features or classes by now."""
    with suppress(BadCorrectionError):
        return _line(problem, suggestion)
    return None


def _line(problem: Problem, suggestion: Suggestion) -> str:
    bad = [
        feature.name for feature in problem.features if not _is_value(feature, suggestion.features.get(feature.name))
    ]
    if bad:
        raise BadCorrectionError(f"{', '.join(bad)}: no finite number, or no name of a category")
    if suggestion.class_name not in problem.target.classes:
        raise BadCorrectionError(f"class_name: unknown class {suggestion.class_name!r}")
    label = problem.target.classes.index(suggestion.class_name)
    return csv_line([suggestion.features[name] for name in problem.columns], str(label))

"""Writing corrections to finetune.csv, each once, whatever is retried or killed."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from common.files import write_atomic
from common.problem import LARGEST, TEXT, Feature, Problem
from common.store import Store
from common.store.suggestions import Suggestion
from common.table import csv_line

MOST_ROWS = 1000  # that are written at once
MOST_TIMES = 100  # that a run writes rows


class BadCorrectionError(ValueError):
    """A correction that no model can learn from."""


def append_corrections(store: Store, problem: Problem, suggestion: Suggestion, path: Path) -> int:
    """Write a suggestion to the file at `path`, and all others that have no row there yet, handed over or not.

    So a burst of corrections is learnt in one training. Rows are reserved in the store before they are written, and
    noted there afterwards; what was reserved and not noted (the process ended in between) is settled first, by
    looking whether the file has these rows. Others that no model can learn from are refused. The caller holds the
    lock of the file.

    Returns:
        The number of corrections that wait for the next training.

    Raises:
        BadCorrectionError: a feature of `suggestion` is missing or not finite, or its class is unknown; the others
            are written all the same.
    """
    try:
        _line(problem, suggestion)
    except BadCorrectionError:
        _take_in(store, problem, suggestion.flow_run_id, path)
        raise
    store.suggestions.add(suggestion)
    _take_in(store, problem, suggestion.flow_run_id, path)
    return len(store.suggestions.waiting(problem.name))


def _take_in(store: Store, problem: Problem, flow_run_id: str | None, path: Path) -> None:
    _settle(store, problem, store.suggestions.unfinished_rows(problem.name), path)
    remove_refused(store, problem, path)
    # Until none is left, so that what joins this run is not left behind; but not for ever, if they never cease to come.
    for _ in range(MOST_TIMES):
        found = store.suggestions.without_row(problem.name, limit=MOST_ROWS)
        if not found:
            break
        rows = len(_lines(path))
        reserved = [
            replace(each, row_number=rows + place, flow_run_id=flow_run_id)
            for place, each in enumerate(_good(store, problem, found))
        ]
        store.suggestions.reserve_row(*reserved)
        _settle(store, problem, reserved, path)


def remove_refused(store: Store, problem: Problem, path: Path) -> None:
    """Take the rows of refused corrections out of the file at `path`; the store keeps them.

    The file is replaced before that is noted. If the process ends in between, the next attempt sees from the number of
    equal rows that are to stay whether a row has gone already. The caller holds the lock of the file.
    """
    refused = store.suggestions.rows_of_refused(problem.name)
    if not refused:
        return
    gone = Counter(_known_line(problem, each) for each in refused)
    lines, kept = _lines(path), list[str]()
    there = Counter(lines)
    there.subtract(_known_line(problem, each) or "" for each in store.suggestions.rows_to_keep(problem.name))
    for line in reversed(lines):  # of equal rows the last one goes
        if gone[line] > 0 and there[line] > 0:
            gone[line] -= 1
            there[line] -= 1
        else:
            kept.append(line)
    write_atomic(path, "".join(reversed(kept)).encode())
    store.suggestions.rows_removed([each.id for each in refused])


def _good(store: Store, problem: Problem, found: Sequence[Suggestion]) -> Iterator[Suggestion]:
    for each in found:
        try:
            _line(problem, each)
        except BadCorrectionError as error:
            store.suggestions.refused([each.id], str(error))
        else:
            yield each


def _settle(store: Store, problem: Problem, reserved: Sequence[Suggestion], path: Path) -> None:
    if not reserved:
        return
    lines = _lines(path)
    before, settled = len(lines), set[int]()
    for each in reserved:
        line = _line(problem, each)
        # From there on, because people may have added rows in the meantime.
        places = range(each.row_number or 0, len(lines))
        place = next((place for place in places if lines[place] == line and place not in settled), len(lines))
        if place == len(lines):
            lines.append(line)
        settled.add(place)
    if len(lines) > before:
        write_atomic(path, "".join(lines).encode())
    store.suggestions.row_written(*(each.id for each in reserved))


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    # Not splitlines, which also ends lines where the reader of the file does not.
    return [f"{line}\n" for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def _is_value(feature: Feature, value: object) -> bool:
    if feature.kind == "category":
        return isinstance(value, str) and re.fullmatch(TEXT, value) is not None
    return isinstance(value, int | float) and abs(value) <= LARGEST


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
        raise BadCorrectionError(f"{', '.join(bad)}: no finite number of float32, or no name of a category")
    if suggestion.class_name not in problem.target.classes:
        raise BadCorrectionError(f"class_name: unknown class {suggestion.class_name!r}")
    label = problem.target.classes.index(suggestion.class_name)
    return csv_line([suggestion.features[name] for name in problem.columns], str(label))

"""Write corrections to finetune.csv, each exactly once, although any step may be retried or killed."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from common.files import write_atomic
from common.problem import LARGEST, TEXT, Feature, Problem
from common.store import Store
from common.store.suggestions import Suggestion
from common.table import csv_line

MAX_ROWS = 1000  # in one write
MAX_WRITES = 100  # in one flow run

# Returns the corrections that may be learnt, and sees to the others.
Vet = Callable[[Sequence[Suggestion]], Sequence[Suggestion]]


class BadCorrectionError(ValueError):
    """A correction that no model can learn from."""


def append_corrections(store: Store, problem: Problem, correction: Suggestion, path: Path, vet: Vet = list) -> None:
    """Write a correction to the file at `path`, and all others that have no row there yet, delivered or not.

    So one training learns a burst of corrections. The store reserves rows before they are written and notes them
    afterwards. A process that ended in between leaves rows reserved; the next call looks whether the file has them.
    Corrections that no model can learn from are refused, and `vet` picks the others. The caller holds the lock of the
    file.

    Raises:
        BadCorrectionError: `correction` has a feature that is missing or not finite, or an unknown class; the other
            corrections are written first.
    """
    try:
        _csv_row(problem, correction)
        store.suggestions.add(correction)
    finally:
        _append_all(store, problem, correction.flow_run_id, path, vet)


def _append_all(store: Store, problem: Problem, flow_run_id: str | None, path: Path, vet: Vet) -> None:
    _finish(store, problem, store.suggestions.unfinished_rows(problem.name), path)
    # Corrections may join this flow run meanwhile, so look again until none is left; the limit ends an endless stream.
    for _ in range(MAX_WRITES):
        found = store.suggestions.without_row(problem.name, limit=MAX_ROWS)
        if not found:
            break
        rows = len(_lines(path))
        reserved = [
            replace(each, row_number=rows + index, flow_run_id=flow_run_id)
            for index, each in enumerate(vet(list(_good(store, problem, found))))
        ]
        store.suggestions.reserve_row(*reserved)
        _finish(store, problem, reserved, path)
    remove_refused(store, problem, path)


def remove_refused(store: Store, problem: Problem, path: Path) -> None:
    """Remove the rows of refused corrections from the file at `path`; the store keeps these corrections.

    The store notes the removal after the file is replaced. If the process ends in between, the next call counts the
    equal rows that must stay, and so finds whether a row is removed already. The caller holds the lock of the file.
    """
    refused = store.suggestions.rows_of_refused(problem.name)
    if not refused:
        return
    remove = Counter(_known_row(problem, each) for each in refused)
    lines, kept = _lines(path), list[str]()
    removable = Counter(lines)
    removable.subtract(_known_row(problem, each) or "" for each in store.suggestions.rows_to_keep(problem.name))
    for line in reversed(lines):  # of equal rows, the last one is removed
        if remove[line] > 0 and removable[line] > 0:
            remove[line] -= 1
            removable[line] -= 1
        else:
            kept.append(line)
    write_atomic(path, "".join(reversed(kept)).encode())
    store.suggestions.rows_removed([each.id for each in refused])


def _good(store: Store, problem: Problem, found: Sequence[Suggestion]) -> Iterator[Suggestion]:
    """Yield the corrections that a model can learn from; refuse the others."""
    for each in found:
        try:
            _csv_row(problem, each)
        except BadCorrectionError as error:
            store.suggestions.refused([each.id], str(error))
        else:
            yield each


def _finish(store: Store, problem: Problem, reserved: Sequence[Suggestion], path: Path) -> None:
    """Write the reserved rows that the file does not have yet, and note all of them as written."""
    if not reserved:
        return
    lines = _lines(path)
    before, taken = len(lines), set[int]()
    for each in reserved:
        row = _csv_row(problem, each)
        # People may have added rows since, so the row may stand anywhere from its reserved place on.
        places = range(each.row_number or 0, len(lines))
        place = next((place for place in places if lines[place] == row and place not in taken), len(lines))
        if place == len(lines):
            lines.append(row)
        taken.add(place)
    if len(lines) > before:
        write_atomic(path, "".join(lines).encode())
    store.suggestions.row_written(*(each.id for each in reserved))


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    # `splitlines` would split at characters such as U+2028, too, which the file's reader keeps within a line.
    return [f"{line}\n" for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def _is_value(feature: Feature, value: object) -> bool:
    if feature.kind == "category":
        return isinstance(value, str) and re.fullmatch(TEXT, value) is not None
    return isinstance(value, int | float) and abs(value) <= LARGEST


def _known_row(problem: Problem, correction: Suggestion) -> str | None:
    """Return the row of a correction; None if the problem has other features or classes by now."""
    with suppress(BadCorrectionError):
        return _csv_row(problem, correction)
    return None


def _csv_row(problem: Problem, correction: Suggestion) -> str:
    features = correction.features
    if bad := [each.name for each in problem.features if not _is_value(each, features.get(each.name))]:
        raise BadCorrectionError(f"{', '.join(bad)}: no finite number of float32, or no name of a category")
    if correction.class_name not in problem.target.classes:
        raise BadCorrectionError(f"class_name: unknown class {correction.class_name!r}")
    label = problem.target.classes.index(correction.class_name)
    return csv_line([features[name] for name in problem.columns], str(label))

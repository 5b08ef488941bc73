"""Task 1: data under version control, cleaned and split."""

import json
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lesson.grading.limits import TEST_SHARE
from lesson.grading.marks import MarkSheet
from lesson.grading.programs import Programs, last_words
from lesson.grading.raw_data import NAMES, RawRow, counted, more_rows, raw_csv, read_rows, usable_rows
from lesson.grading.scratch import Scratch

FILES = ("train.csv", "test.csv", "classes.json")
Fault = tuple[str, str] | None


@dataclass(frozen=True)
class SplitData:
    """The files that a student's preprocessing has written, read."""

    train: list[RawRow]
    test: list[RawRow]
    classes: list[str]


def grade_data(scratch: Scratch, programs: Programs, marks: MarkSheet) -> SplitData | None:
    """Grade task 1; return the split that the other tasks begin with, or None if there is none."""
    rows = usable_rows()
    first = _split(scratch, programs, marks, rows)
    if first is None:
        return None
    marks.judge("classes", _classes_fault(first.classes), f"{len(first.classes)} names")
    marks.judge("rows", _rows_fault(first, rows), f"{len(rows)} usable rows, each once")
    marks.judge("leak", _leak_fault(first), "no row is in both files")
    marks.judge("versioned", _versions_fault(scratch, programs), "DVC knows the files, git does not")
    before = _contents(scratch)
    again = programs.run(
        "python preprocess.py", [str(scratch.python), "preprocess.py"], scratch.project, _limit(programs)
    )
    fault = (again.problem, "`python preprocess.py` should run without DVC, too") if again.problem else None
    if not fault and _contents(scratch) != before:
        fault = ("the same data.csv gave other files", "give each shuffle and split a seed, such as random_state=42")
    marks.judge("seed", fault, "the same files again")
    second = _changed(scratch, programs, marks, [*rows, *more_rows()], before)
    _put_back(scratch, before)
    fault = _strata_fault(first) or (_strata_fault(second) if second else None)
    marks.judge("strata", fault, "the same shares, give or take a row")
    return first


def prepare_data(scratch: Scratch, programs: Programs, prepared: Path | None) -> SplitData:
    """Make the split for later tasks, without marks: by the student's own program, or from a folder that has it.

    Raises:
        ValueError: the program does not write it.
    """
    if prepared:
        for name in ("data.csv", *FILES):
            (scratch.data / name).write_bytes((prepared / name).read_bytes())
    else:
        (scratch.data / "data.csv").write_text(raw_csv(usable_rows()), encoding="utf-8")
        command = [str(scratch.python), "preprocess.py"]
        ended = programs.run("python preprocess.py", command, scratch.project, _limit(programs))
        if ended.problem:
            raise ValueError(ended.problem)
    return _read(scratch.data)


def _limit(programs: Programs) -> float:
    return programs.limits.repro


def _split(scratch: Scratch, programs: Programs, marks: MarkSheet, rows: Sequence[RawRow]) -> SplitData | None:
    (scratch.data / "data.csv").write_text(raw_csv(rows), encoding="utf-8")
    ended = _repro(scratch, programs)
    if ended:
        marks.failed("repro", ended, "run `dvc repro` in your folder, and read its last lines")
        return None
    if missing := [name for name in FILES if not (scratch.data / name).is_file()]:
        advice = "a stage in dvc.yaml should run `python preprocess.py`, which writes the three files"
        marks.failed("repro", f"no data/{', data/'.join(missing)} after `dvc repro`", advice)
        return None
    try:
        found = _read(scratch.data)
    except (ValueError, OSError) as error:
        marks.failed("repro", str(error), "train.csv and test.csv need four numbers and a class in each line")
        return None
    marks.passed("repro", f"{len(found.train)} rows in train.csv, {len(found.test)} in test.csv")
    return found


def _repro(scratch: Scratch, programs: Programs) -> str:
    """Run `dvc repro`; return what is wrong."""
    command = [str(scratch.python), "-m", "dvc", "repro"]
    ended = programs.run("dvc repro", command, scratch.project, _limit(programs))
    errors = [line for line in ended.output.splitlines() if line.startswith("ERROR") or "Error: " in line]
    return f"{ended.problem.partition(': ')[0]}: {errors[0] if errors else last_words(ended.output)}" * bool(
        ended.problem
    )


def _changed(
    scratch: Scratch, programs: Programs, marks: MarkSheet, rows: Sequence[RawRow], before: dict[str, bytes]
) -> SplitData | None:
    """Change data.csv, and let DVC split it again."""
    (scratch.data / "data.csv").write_text(raw_csv(rows), encoding="utf-8")
    if problem := _repro(scratch, programs):
        marks.failed("follows", problem, "`dvc repro` should split other rows, too")
        return None
    if _contents(scratch) == before:
        advice = "the stage in dvc.yaml needs data/data.csv among its `deps`"
        marks.failed("follows", "with other rows in data.csv, `dvc repro` changed nothing", advice)
        return None
    marks.passed("follows", "other rows, another split")
    return _read(scratch.data)


def _read(data: Path) -> SplitData:
    classes = json.loads((data / "classes.json").read_text(encoding="utf-8"))
    if not isinstance(classes, list):
        classes = list(classes.values()) if isinstance(classes, dict) else [classes]
    classes = [str(name) for name in classes]
    names = [*classes, *(name for name in NAMES if name not in classes)]
    return SplitData(read_rows(data / "train.csv", names), read_rows(data / "test.csv", names), classes)


def _contents(scratch: Scratch) -> dict[str, bytes]:
    return {name: (scratch.data / name).read_bytes() for name in FILES if (scratch.data / name).is_file()}


def _put_back(scratch: Scratch, contents: dict[str, bytes]) -> None:
    for name, content in {**contents, "data.csv": raw_csv(usable_rows()).encode()}.items():
        (scratch.data / name).unlink(missing_ok=True)
        (scratch.data / name).write_bytes(content)


def _classes_fault(classes: Sequence[str]) -> Fault:
    if sorted(classes) == sorted(NAMES):
        return None
    advice = "write a JSON list with each class name of the usable rows once; the place in the list is the number"
    return f"{json.dumps(classes)[:160]} for {', '.join(sorted(NAMES))}", advice


def _rows_fault(split: SplitData, rows: Sequence[RawRow]) -> Fault:
    wanted = counted(rows)
    # A row in both files is a leak, which has a row of its own; here each file may have it once.
    found = counted(split.train) | counted(split.test)
    known = {row for row in found if row in wanted}
    if bad := sum(count for row, count in found.items() if row not in known):
        advice = "drop rows with a missing value or a text; do not fill them, and change no value"
        return f"unusable rows are kept: {bad} rows are no usable row of data.csv", advice
    if twice := sum(count - 1 for count in found.values()):
        return f"duplicates are kept: {twice} rows are there more than once", "drop exact duplicates before the split"
    if lost := len(wanted) - len(known):
        advice = "drop only rows with a missing value or a text, and exact duplicates"
        return f"rows are lost: {lost} of {len(wanted)} usable rows are in neither file", advice
    return None


def _leak_fault(split: SplitData) -> Fault:
    both = {row.features for row in split.train} & {row.features for row in split.test}
    if not both:
        return None
    advice = "drop duplicates first, then split; train.csv gets only the rows that test.csv does not get"
    return f"the split leaks: {len(both)} rows of test.csv are in train.csv, too", advice


def _strata_fault(split: SplitData) -> Fault:
    tested = Counter(row.class_name for row in split.test)
    every = tested + Counter(row.class_name for row in split.train)
    share = len(split.test) / max(1, every.total())
    if not TEST_SHARE[0] <= share <= TEST_SHARE[1]:
        return f"test.csv has {share:.0%} of the rows", "let test.csv have about a fifth of the rows"
    wanted = {name: count * share for name, count in every.items()}
    if all(abs(tested[name] - wanted[name]) <= 1.0 for name in every):
        return None
    seen = ", ".join(f"{tested[name]} rows of {name} for {wanted[name]:.1f}" for name in sorted(every))
    return f"the split is not stratified: {seen}", "split each class by itself: stratify=y in train_test_split"


def _versions_fault(scratch: Scratch, programs: Programs) -> Fault:
    """Return whether data is in git, or not under DVC."""
    listed = subprocess.run(
        ["git", "-C", scratch.original, "ls-files", "--", "data"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if listed.returncode:
        return "the folder is no git repository", "`git init`, then `dvc init`"
    if in_git := [line for line in listed.stdout.splitlines() if Path(line).name in {"data.csv", *FILES}]:
        return f"git has {', '.join(in_git)}", f"`git rm --cached {in_git[0]}`; DVC writes data/.gitignore"
    command = [str(scratch.python), "-m", "dvc", "ls", "-R", "--dvc-only", ".", "data"]
    ended = programs.run("dvc ls", command, scratch.project, _limit(programs))
    known = {Path(line.strip()).name for line in ended.output.splitlines()}
    if unknown := [name for name in ("data.csv", *FILES) if name not in known]:
        advice = "`dvc add data/data.csv`; the other files are `outs` of the stage in dvc.yaml"
        return f"DVC does not know data/{', data/'.join(unknown)}", advice
    return None

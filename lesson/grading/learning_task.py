"""Task 5, optional: corrections become the next version, if it is not worse."""

import time
from collections import Counter
from collections.abc import Sequence

import numpy as np

from lesson.grading.corrections import Learning, features_of, grade_suggestions, wait_for_runs
from lesson.grading.data_task import Fault
from lesson.grading.gate_trial import grade_gate
from lesson.grading.limits import FORGOTTEN, KEPT_SHARE
from lesson.grading.marks import MarkSheet
from lesson.grading.onnx_models import ModelFaultError, StudentModel, relative_change
from lesson.grading.programs import Programs
from lesson.grading.raw_data import NAMES, RawRow, usable_rows, write_rows
from lesson.grading.registry import ModelRegistry
from lesson.grading.service import StudentService
from lesson.grading.service_task import class_centres

GOES_ON = "continue from the weights of the newest version: partial_fit or warm_start, with the old rows, too"


def grade_following(programs: Programs, marks: MarkSheet, registry: ModelRegistry, service: StudentService) -> None:
    """Register the student's first version again, and wait until the running service answers with it.

    Before, the newest version is that of `register_changed`, which answers rows of the third class as the first.
    """
    row = [round(value, 2) for value in class_centres()[2].tolist()]
    before = service.answer(row)
    good = int(registry.versions()[-2].version)
    registry.register_copy(good)
    begun = time.monotonic()
    follows = programs.wait(lambda: service.answer(row) != before, programs.limits.follow, every=0.2)
    fault = (
        f"{programs.limits.follow:.0f} s after a new version, the api answers with the old one: it needs a restart",
        "ask the registry every second or so in the background, and take a newer version into service",
    )
    marks.judge("follow", None if follows else fault, f"{time.monotonic() - begun:.1f} s after it was registered")


def easy_test_rows(learning: Learning, model: StudentModel) -> list[RawRow]:
    """Return the test rows that no good correction makes wrong: the nearer half to the middle of their class."""
    centres = dict(zip(NAMES, class_centres(), strict=True))
    distance = {
        row: float(np.linalg.norm(np.array(row.features) - centres[row.class_name])) for row in learning.split.test
    }
    rows = sorted(learning.split.test, key=distance.__getitem__)[: max(9, len(learning.split.test) // 2)]
    answers = model.answers(features_of(rows))
    return [row for row, answer in zip(rows, answers, strict=True) if answer == row.class_name]


def grade_learning(learning: Learning) -> None:
    """Grade what becomes of five good corrections, and then of five wrong ones."""
    marks, registry = learning.marks, learning.registry
    before = registry.newest()
    try:
        model = learning.model(before)
        write_rows(learning.scratch.data / "test.csv", easy_test_rows(learning, model), learning.split.classes)
        if not grade_suggestions(learning):
            return
        wait_for_runs(learning, before)
        new = [int(each.version) for each in registry.versions() if int(each.version) > before]
        marks.judge(
            "learnt", _learnt_fault(learning, model, new), "one new version, which keeps what the one before knew"
        )
        if new:
            grade_gate(learning, registry.newest())
    except ModelFaultError as error:
        marks.failed("learnt", str(error), "register the fine-tuned model as task 2 does")


def _learnt_fault(learning: Learning, model: StudentModel, new: Sequence[int]) -> Fault:
    if not new:
        return _no_version_fault(learning)
    if len(new) > 1:
        seen = f"{len(new)} new versions after five corrections: they are learnt twice"
        return seen, "start one run of the flow for five corrections"
    candidate = learning.model(new[0])
    rows = features_of(usable_rows())
    same = float(np.mean([a == b for a, b in zip(model.answers(rows), candidate.answers(rows), strict=True)]))
    if same < KEPT_SHARE:
        return f"the new version forgets: it answers {1 - same:.0%} of the known rows otherwise", GOES_ON
    return _weights_fault(relative_change(model.file, candidate.file))


def _no_version_fault(learning: Learning) -> Fault:
    states = Counter(str(run["state_type"]).lower() for run in learning.flows.flow_runs())
    seen = ", ".join(f"{count} {state}" for state, count in states.items()) or "none"
    seen = f"no new version after five corrections; flow runs: {seen}"
    if not states and (complaint := learning.service.complaint()):
        seen = f"{seen}; the api printed: {complaint}"
    if "completed" not in states:
        return seen, "read the log of the flow run in Prefect; the fifth correction starts it"
    return f"{seen}; the judge refused good corrections: the candidate forgets what the model knew", GOES_ON


def _weights_fault(change: float | None) -> Fault:
    if change is None:
        return None
    if change == 0.0:
        return "the new version has the same weights: nothing was learnt", "learn the rows of data/finetune.csv"
    if change <= FORGOTTEN:
        return None
    how = "have other shapes" if change == float("inf") else f"have moved by {change:.0%} of their size"
    return f"the fine-tuning forgets the weights: they {how}", GOES_ON

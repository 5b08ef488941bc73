"""The trial of the student's gate: corrections that make every candidate worse."""

import time
from collections.abc import Sequence

import numpy as np

from lesson.grading.corrections import CORRECTIONS, Learning, features_of, wait_for_runs
from lesson.grading.onnx_models import Rows, StudentModel
from lesson.grading.raw_data import RawRow, write_rows
from lesson.grading.service_task import class_centres

FAR = 0.7  # of the way between two classes; a border behind it leaves no room for corrections on the far side
DEPTH = 0.3  # of that way: as far from the border the corrections begin to be plain lies
SMALLEST_STEP, STEPS = 1e-3, 12  # of the way; each step is twice the one before


def grade_gate(learning: Learning, before: int) -> None:
    """Send five wrong corrections that any learning makes worse on test.csv, and see whether the gate notices.

    The rows of test.csv stand close to the border between two classes, on both sides, and have the answers of the
    newest version. So that version is right everywhere, and a border that moves makes some answers wrong.
    """
    model = learning.model(before)
    tested, wrong = border_rows(model)
    path = learning.scratch.data / "test.csv"
    if not tested:
        learning.marks.unchecked("gate", "the model has no border between two classes where the grader looked")
        return
    write_rows(path, tested, learning.split.classes)
    learning.flows.forget_runs()
    for row in wrong:
        if learning.send(row):
            return
        time.sleep(0.1)
    wait_for_runs(learning, before)
    names = [row.class_name for row in tested]
    for number in [int(each.version) for each in learning.registry.versions() if int(each.version) > before]:
        right = learning.model(number).accuracy(features_of(tested), names)
        if right < 1.0:
            seen = f"the gate passes a worse candidate: right on {right:.0%} of test.csv, the version before on 100%"
            learning.marks.failed("gate", seen, "compare both models on data/test.csv before you register")
            return
    if learning.flows.flow_runs():
        learning.marks.passed("gate", "five wrong corrections made no worse version")


def border_rows(model: StudentModel) -> tuple[list[RawRow], list[RawRow]]:
    """Return rows on both sides of a border with the model's answers, and five rows near it with the wrong class."""
    centres = class_centres()
    for a, b in ((1, 2), (0, 1), (0, 2)):
        start, way = centres[a], centres[b] - centres[a]
        along = np.linspace(0.0, 1.0, 2001)
        answers = model.answers(start + along[:, None] * way)
        if answers[0] == answers[-1]:
            continue
        border = float(along[next(i for i, answer in enumerate(answers) if answer != answers[0])])
        steps = [sign * SMALLEST_STEP * 2.0**i for i in range(STEPS) for sign in (-1, 1)]
        near = [border + step for step in steps if 0.0 <= border + step <= 1.0]
        depth = DEPTH if border < FAR else -DEPTH
        beyond = [border + depth * share for share in np.linspace(0.5, 1.0, CORRECTIONS)]
        other = answers[0] if depth > 0 else answers[-1]
        lies = [RawRow(row.features, other) for row in _answered(model, start, way, beyond)]
        return _answered(model, start, way, near), lies
    return [], []


def _answered(model: StudentModel, start: Rows, way: Rows, places: Sequence[float]) -> list[RawRow]:
    """Return the rows at places of the way between two classes, with the answers of the model."""
    points = np.round(start + np.array(places)[:, None] * way, 4)
    return [RawRow(tuple(row), name) for row, name in zip(points.tolist(), model.answers(points), strict=True)]

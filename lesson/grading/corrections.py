"""The corrections of task 5, as the grader sends them, and as the student's programs keep them."""

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
import numpy as np

from lesson.grading.data_task import Fault, SplitData
from lesson.grading.marks import MarkSheet
from lesson.grading.onnx_models import Rows, StudentModel
from lesson.grading.prefect_server import FlowServer
from lesson.grading.programs import Programs
from lesson.grading.raw_data import NAMES, RawRow, read_rows, usable_rows
from lesson.grading.registry import ModelRegistry
from lesson.grading.scratch import Scratch
from lesson.grading.service import NOT_READY, StudentService, body
from lesson.grading.training_task import kept_model

ACCEPTED, REFUSED = 202, 422
CORRECTIONS = 5
AT_ONCE = 5.0  # s


@dataclass
class Learning:
    """Everything that the criteria of task 5 look at."""

    scratch: Scratch
    programs: Programs
    marks: MarkSheet
    registry: ModelRegistry
    flows: FlowServer
    service: StudentService
    split: SplitData
    _models: dict[int, StudentModel] = field(default_factory=dict)

    def send(self, row: RawRow) -> str:
        """Send one correction, again if the service is not ready for it; return what is wrong."""
        content = {**body(row.features), "class_name": row.class_name}
        deadline = time.monotonic() + self.programs.within(self.programs.limits.correction)
        while True:
            begun = time.monotonic()
            try:
                response = self.service.client.post("/suggest", json=content)
            except httpx.HTTPError as error:
                return f"POST /suggest: no answer ({type(error).__name__})"
            if response.status_code == ACCEPTED:
                took = time.monotonic() - begun
                return f"POST /suggest took {took:.0f} s: it waits for the flow" if took > AT_ONCE else ""
            if response.status_code != NOT_READY or time.monotonic() > deadline:
                return f"POST /suggest gets status {response.status_code}: {response.text[:100]}"
            time.sleep(1.0)

    def kept(self) -> list[RawRow]:
        """Return the rows of finetune.csv; none while it is no CSV, as in the middle of a write."""
        with suppress(ValueError, OSError):
            return read_rows(self.scratch.data / "finetune.csv", self.split.classes)
        return []

    def model(self, number: int) -> StudentModel:
        """Return a version as a model."""
        if number not in self._models:
            folder = self.scratch.own / f"version-{number}"
            self._models[number] = kept_model(self.registry, number, folder, self.split.classes)
        return self._models[number]


def grade_suggestions(learning: Learning) -> bool:
    """Send five good corrections; return whether all were accepted and kept."""
    marks = learning.marks
    if fault := _refusals_fault(learning):
        marks.failed("suggest", *fault)
        return False
    corrections = good_corrections()
    for sent, row in enumerate(corrections, 1):
        if problem := learning.send(row):
            marks.failed("suggest", problem, "keep the correction, start the flow without waiting, answer 202")
            return False
        # A program may empty the file when it has learnt five, so the fifth is not looked for.
        if sent < CORRECTIONS:
            arrived = _arrived(learning, sent)
            if not arrived or sent == CORRECTIONS - 1:
                marks.judge("kept", _kept_fault(learning, corrections[:sent]), f"{sent} corrections, each once")
            if not arrived:
                return False
    marks.passed("suggest", f"{ACCEPTED} for each correction")
    return True


def _refusals_fault(learning: Learning) -> Fault:
    """Send corrections that are none: without a class, with a text, of a class that nobody knows."""
    row = good_corrections()[0]
    for name, content in {
        "a missing field": body(row.features),
        "a text": {**body([*row.features[:3], "five"]), "class_name": row.class_name},
        "an unknown class": {**body(row.features), "class_name": "nobody"},
    }.items():
        try:
            status = learning.service.client.post("/suggest", json=content).status_code
        except httpx.HTTPError as error:
            return f"POST /suggest: no answer ({type(error).__name__})", "read the log of uvicorn"
        if status != REFUSED:
            return f"{name} gets status {status}, not {REFUSED}", "check fields and class name before you keep anything"
    return None


def good_corrections() -> list[RawRow]:
    """Return five rows with their right classes, which are in no other file."""
    places = [*NAMES, *NAMES][:CORRECTIONS]
    rows = [row for name in NAMES for row in [each for each in usable_rows() if each.class_name == name][:2]]
    rows.sort(key=lambda row: places.index(row.class_name))
    return [RawRow(tuple(round(x + 0.03, 2) for x in row.features), row.class_name) for row in rows[:CORRECTIONS]]


def _arrived(learning: Learning, sent: int) -> bool:
    """Wait until the corrections are in finetune.csv."""
    limit = learning.programs.limits.correction
    return learning.programs.wait(lambda: len(learning.kept()) >= sent, limit, every=0.1)


def _kept_fault(learning: Learning, sent: Sequence[RawRow]) -> Fault:
    found = Counter(learning.kept())
    if twice := sum(count > 1 for count in found.values()):
        seen = f"{twice} of {len(sent)} corrections are in finetune.csv twice"
        return seen, "let one program write each row once"
    if lost := Counter(sent) - found:
        seen = f"{lost.total()} of {len(sent)} corrections are not in data/finetune.csv, or with another class"
        return f"corrections are lost: {seen}", "add each row to the end of the file; never write the file anew"
    return None


def features_of(rows: Sequence[RawRow]) -> Rows:
    """Return the features of rows as a matrix `[n, 4]`."""
    return np.array([row.features for row in rows])


def wait_for_runs(learning: Learning, before: int) -> None:
    """Wait until flow runs have begun and all have ended, or a version is there and nothing runs any more."""
    flows, registry = learning.flows, learning.registry

    def done() -> bool:
        begun = bool(flows.flow_runs()) or registry.newest() > before
        return begun and flows.all_ended()

    learning.programs.wait(done, learning.programs.limits.learning, every=0.3)

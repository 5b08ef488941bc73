"""The marks of a grading: one for each criterion, in order."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from lesson.grading.criteria import BY_KEY, CRITERIA, LEARNING, TASKS, Criterion

State = Literal["passed", "failed", "not reached", "not checked"]
NOT_REACHED = "not reached, because a row above failed"


@dataclass(frozen=True)
class Mark:
    """The result of one criterion, and the advice that helps to get its points."""

    criterion: Criterion
    state: State
    seen: str
    advice: str = ""

    @property
    def points(self) -> int:
        """The points that were earned."""
        return self.criterion.points if self.state == "passed" else 0

    @property
    def possible(self) -> int:
        """The points that could be earned here; 0 where the grader could not look."""
        return 0 if self.state == "not checked" else self.criterion.points

    def as_json(self) -> dict[str, Any]:
        """Return the mark as one object of the JSON output."""
        return {
            "task": self.criterion.task,
            "key": self.criterion.key,
            "title": self.criterion.title,
            "state": self.state,
            "points": self.points,
            "of": self.criterion.points,
            "seen": self.seen,
            "expected": self.criterion.expected,
            "try": self.advice,
        }


class MarkSheet:
    """The marks of the tasks that are graded. The first mark of a criterion counts."""

    def __init__(self, tasks: Collection[int]) -> None:
        """Begin an empty sheet for some tasks."""
        self.tasks = frozenset(tasks)
        self.not_reached = NOT_REACHED
        self._marks: dict[str, Mark] = {}

    def passed(self, key: str, seen: str) -> None:
        """Give the points of a criterion."""
        self._set(key, "passed", seen)

    def failed(self, key: str, seen: str, advice: str) -> None:
        """Give no points for a criterion, and say what to try."""
        self._set(key, "failed", seen, advice)

    def unchecked(self, key: str, reason: str, advice: str = "") -> None:
        """Say that the grader cannot look at a criterion on this machine; nobody loses points by that."""
        self._set(key, "not checked", reason, advice)

    def judge(self, key: str, fault: tuple[str, str] | None, seen: str) -> None:
        """Fail a criterion with a fault, which is what was seen and the advice; pass it without one."""
        if fault:
            self.failed(key, *fault)
        else:
            self.passed(key, seen)

    def state(self, key: str) -> State:
        """Return the state of a criterion."""
        return self._marks[key].state if key in self._marks else "not reached"

    def skip_task(self, task: int, reason: str) -> None:
        """Say of all criteria of a task that have no mark that they were not checked."""
        for criterion in CRITERIA:
            if criterion.task == task:
                self.unchecked(criterion.key, reason)

    def marks(self) -> list[Mark]:
        """Return the marks in the order of the criteria, also those that were not reached."""
        return [
            self._marks.get(criterion.key) or Mark(criterion, "not reached", self.not_reached)
            for criterion in CRITERIA
            if criterion.task in self.tasks
        ]

    def totals(self) -> dict[str, int]:
        """Return the points: earned and possible, of the tasks and of the optional one."""
        marks = self.marks()
        needed = [mark for mark in marks if mark.criterion.task != LEARNING]
        optional = [mark for mark in marks if mark.criterion.task == LEARNING]
        return {
            "points": sum(mark.points for mark in needed),
            "of": sum(mark.possible for mark in needed),
            "bonus": sum(mark.points for mark in optional),
            "bonus_of": sum(mark.possible for mark in optional),
        }

    def as_json(self) -> dict[str, Any]:
        """Return everything as the JSON output."""
        names = {str(task): TASKS[task] for task in sorted(self.tasks)}
        return {**self.totals(), "tasks": names, "marks": [mark.as_json() for mark in self.marks()]}

    def _set(self, key: str, state: State, seen: str, advice: str = "") -> None:
        if BY_KEY[key].task in self.tasks:
            self._marks.setdefault(key, Mark(BY_KEY[key], state, seen, advice))

"""A lab without Prefect, whose corrections are all setosas and can be told by their sepal lengths."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import pytest

from common.problem import Problem
from common.settings import Settings
from common.store import Store
from common.store.suggestions import Suggestion
from finetune import finetune
from finetune.append import append_corrections

SETOSA = {"sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


def one_way(problem: Problem) -> Problem:
    """Return a problem that learns in one way only, which takes half the time."""
    return replace(problem, refit=None)


def do_without_prefect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the steps of a flow run plain functions."""
    monkeypatch.setattr(finetune, "step", lambda _, function: function)


def correction(problem: Problem, number: int, class_name: str = "Iris-setosa") -> Suggestion:
    features = {"sepal_length": 5 + number / 1000, **SETOSA}
    return Suggestion(str(uuid4()), problem.name, features, class_name)


def let_wait(lab: Settings, problem: Problem, store: Store, numbers: Sequence[int]) -> list[Suggestion]:
    """Leave corrections in the store and in finetune.csv, as runs do that have not trained yet."""
    waiting = [correction(problem, number) for number in numbers]
    for each in waiting:
        append_corrections(store, problem, each, lab.corrections)
    return waiting


def lengths(lab: Settings) -> list[float]:
    """Return the sepal lengths of the rows of finetune.csv, which differ from row to row."""
    return [float(line.split(",")[0]) for line in lab.corrections.read_text().splitlines()]

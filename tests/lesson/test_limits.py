"""The page of the tasks names the grader's numbers, so that nobody loses points to a number that is not there."""

from dataclasses import fields
from math import ceil

import pytest

from common.settings import PROJECT
from lesson.grading.criteria import BY_KEY
from lesson.grading.limits import FORGOTTEN, KEPT_SHARE, RIGHT, RUNS, TEST_SHARE, TimeLimits

TASKS = " ".join((PROJECT / "lesson" / "tasks.md").read_text(encoding="utf-8").split())
LIMITS = TimeLimits()
NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}
TEST_ROWS = 30  # the page promises them
SENTENCES = {
    "all": f"The whole grading takes at most {LIMITS.all:.0f} s",
    "repro": f"ends within {LIMITS.repro:.0f} s; the program also works without DVC",
    "main": f"ends by itself with code 0 within {LIMITS.main:.0f} s",
    "start": f"with `MLFLOW_URL` and `--port`, answers within {LIMITS.start:.0f} s",
    "answer": f"within {LIMITS.answer:.0f} s status 200 and JSON with `class_name`",
    "end": f"they end within {LIMITS.end:.0f} s when they are told to",
    "scrape": f"Within {LIMITS.scrape:.0f} s the api is up there",
    "follow": f"answers with a new version, whoever registers it, within {LIMITS.follow:.0f} s",
    "correction": f"has a correction once, at the latest {LIMITS.correction:.0f} s after it was accepted",
    "learning": f"at the latest {LIMITS.learning:.0f} s after the fifth, there is one new version",
    "the 503": f"the grader then tries again for {LIMITS.correction:.0f} s",
    "runs": f"at least {NUMBERS[RUNS]}, whose logged parameters differ",
    "test share": f"{TEST_SHARE[0] * 100:.0f} to {TEST_SHARE[1] * 100:.0f} % of the rows are in `test.csv`",
    "right": f"the version answers at least {RIGHT * 100:.0f} % of its rows right",
    "right rows": f"at least {ceil(RIGHT * TEST_ROWS)} of the {TEST_ROWS} rows of `test.csv` right",
    "forgotten": f"have moved by less than {FORGOTTEN * 100:.0f} % of their size",
    "kept": f"of the known rows, at least {KEPT_SHARE * 100:.0f} % get the same answer",
}


@pytest.mark.parametrize("subject", SENTENCES)
def test_the_page_of_the_tasks_names_a_number_of_the_grader(subject: str) -> None:
    assert SENTENCES[subject] in TASKS


def test_each_time_limit_has_its_sentence() -> None:
    assert {field.name for field in fields(TimeLimits)} <= SENTENCES.keys()


def test_the_table_of_marks_names_the_same_numbers() -> None:
    assert BY_KEY["model"].expected == f"at least {RIGHT * 100:.0f} % of test.csv is right"
    assert BY_KEY["runs"].expected.startswith(f"MLflow has at least {RUNS} runs")

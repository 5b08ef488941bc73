"""The pages for teachers answer each question that the pages for students ask, and count as the lab counts."""

import re
from pathlib import Path

import pytest
import yaml

from common.settings import PROJECT

LAB, LESSON = PROJECT / "docs" / "lab.md", PROJECT / "lesson" / "tasks.md"
ANSWERS = PROJECT / "docs" / "teaching-answers.md"
NUMBERS = {"five": 5, "fifteen": 15}


def one_line(text: str) -> str:
    return " ".join(text.split())


def questions(text: str) -> list[str]:
    """Return the sentences of a text that end with a question mark."""
    sentences = re.split(r"(?<=[.?!])\s+", one_line(text))
    return [re.sub(r"^(?:\d+\.|\W*\bThink:\*) ?", "", each).strip() for each in sentences if each.endswith("?")]


def sections(page: Path) -> dict[str, str]:
    """Return the text below each heading of a page that names a task, by that heading."""
    found = re.split(r"^##+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def thinks() -> list[tuple[str, str]]:
    """Return the tasks of the lab with the questions of their *Think*."""
    return [
        (title, question)
        for title, text in sections(LAB).items()
        for think in re.findall(r"\*Think:\*(?:.+\n?)+", text)
        for question in questions(think)
    ]


def asked_in_the_lesson() -> list[tuple[str, str]]:
    """Return the tasks of the lesson with the questions that they ask, outside of tables and code."""
    kept = {
        title: re.sub(r"```.*?```|^\|.*$", "", text, flags=re.DOTALL | re.MULTILINE)
        for title, text in sections(LESSON).items()
    }
    return [
        (title, question)
        for title, text in kept.items()
        for paragraph in re.split(r"\n\s*(?:\n|(?=\d+\. ))", text)
        for question in questions(paragraph.strip())
    ]


@pytest.mark.parametrize(("page", "asked"), [(LAB, thinks()), (LESSON, asked_in_the_lesson())], ids=["lab", "lesson"])
def test_each_question_has_an_answer_under_the_heading_of_its_task(page: Path, asked: list[tuple[str, str]]) -> None:
    answers = {title: one_line(text) for title, text in sections(ANSWERS).items()}
    asks = {title for title, _ in asked}
    assert asks
    assert [title for title in sections(page) if title in asks and title not in answers] == []

    def heading(question: str) -> str:
        return f"**{question[0].upper()}{question[1:]}**"

    assert [each for each in asked if not re.search(re.escape(heading(each[1])) + r" \S", answers[each[0]])] == []


def test_each_task_of_the_lab_but_the_last_asks_something() -> None:
    assert [title for title in sections(LAB) if title not in {task for task, _ in thinks()}] == ["15. Clean up"]


def test_the_lab_counts_the_files_of_a_problem_as_dvc_does() -> None:
    text = sections(LAB)["2. Data under version control"]
    [said] = re.findall(r"DVC lists (\w+) files of each problem", one_line(text))
    stages = yaml.safe_load((PROJECT / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    assert {len(stage["outs"]) + len({"data.csv"}) for stage in stages.values()} == {NUMBERS[said]}


def test_the_lab_says_how_many_tasks_it_has() -> None:
    [said] = re.findall(r"^These (\w+) tasks", LAB.read_text(encoding="utf-8"), re.MULTILINE)
    assert NUMBERS[said] == len(sections(LAB))


def test_commands_of_the_lab_for_one_problem_touch_no_other() -> None:
    text = re.sub(r"<!-- transcript -->.*?<!-- /transcript -->", "", LAB.read_text(encoding="utf-8"), flags=re.DOTALL)
    commands = re.findall(r"(?:dvc (?:repro|push|pull)|python -m scripts\.(?:get_data|prepare))[^`\n,;]*", text)
    assert len(commands) > 5
    assert [each for each in commands if "--all" in each] == []
    assert [each for each in commands if each.startswith("dvc ") and "@iris" not in each] == []


def test_links_of_the_lessons_page_lead_somewhere() -> None:
    page = PROJECT / "lesson" / "README.md"
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert len(links) >= 10
    assert [link for link in links if not (page.parent / link).exists()] == []

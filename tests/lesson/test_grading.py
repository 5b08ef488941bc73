"""The grader as a command: its outputs, its limits, and that nothing of it is left."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from common.settings import PROJECT
from lesson.grading.command import main
from lesson.grading.criteria import CRITERIA, DATA, HOUSE, SERVICE, TASKS
from lesson.grading.marks import MarkSheet
from lesson.grading.outputs import as_json, as_markdown, total_line
from lesson.grading.pictures import DOCS, hand_in
from lesson.start import start
from scripts.parts import wait_for
from tests.lesson.conftest import Solved, copied
from tests.programs import output_of

MINE = "STUDENT_OF_THIS_TEST"
NEVER_ENDS = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(999)"])
time.sleep(999)
"""


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """An environment that marks all processes of a test; at its end, none of them is left."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv(MINE, str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    yield {**os.environ, "PYTHONPATH": str(PROJECT)}
    assert left(str(tmp_path)) == []
    assert [path.name for path in temporary.iterdir() if path.name.startswith("lesson-grade-")] == []


def left(mark: str) -> list[list[str]]:
    """Return the commands of living processes with a mark, but for this one."""
    found = []
    for process in psutil.process_iter():
        try:
            marked = process.environ().get(MINE) == mark and process.status() != psutil.STATUS_ZOMBIE
            if marked and process.pid != os.getpid():
                found.append(process.cmdline())
        except psutil.Error:
            continue
    return found


def test_make_grade_writes_the_marks_as_json_and_markdown(
    solved: Solved, tmp_path: Path, environment: dict[str, str]
) -> None:
    project, written, page = copied(solved, tmp_path / "student"), tmp_path / "marks.json", tmp_path / "marks.md"
    said = output_of(
        ["make", "grade", "ONLY=1", f"ARGS=--json {written} --markdown {page}"],
        {**environment, "COLUMNS": "160"},
        project,
    )
    assert "25 of 25 points" in said
    marks = json.loads(written.read_bytes())
    assert (marks["points"], marks["of"], marks["bonus_of"]) == (25, 25, 0)
    assert {mark["state"] for mark in marks["marks"]} == {"passed"}
    assert "| ✓ repeatable | 2 of 2 |" in page.read_text(encoding="utf-8")


def test_the_starting_project_has_no_points_of_task_1_and_is_told_what_to_try(
    tmp_path: Path, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    project, written = start(tmp_path / "student"), tmp_path / "marks.json"
    assert environment
    assert main([str(project), "--only", "1", "--json", str(written), "--quiet"]) == 1
    assert "5 of 25 points" in capsys.readouterr().out
    [first, *others] = json.loads(written.read_bytes())["marks"]
    assert first["key"] == "repro"
    assert first["try"]
    assert {mark["state"] for mark in others if mark["task"] == DATA} == {"not reached"}


def test_a_grading_that_is_stopped_ends_what_it_has_started(
    solved: Solved, tmp_path: Path, environment: dict[str, str]
) -> None:
    project = copied(solved, tmp_path / "student")
    (project / "preprocess.py").write_text(NEVER_ENDS, encoding="utf-8")
    command = [sys.executable, "-P", "-m", "lesson", "grade", str(project), "--only", "1"]
    with subprocess.Popen(command, env=environment, cwd=project, stdout=subprocess.DEVNULL) as grading:
        wait_for("the sleeper", lambda: any("sleep(999)" in " ".join(words) for words in left(str(tmp_path))))
        grading.send_signal(signal.SIGTERM)
        assert grading.wait(30) == 143


def test_the_time_for_everything_ends_a_grading_with_its_marks(
    solved: Solved, tmp_path: Path, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    project = copied(solved, tmp_path / "student")
    (project / "preprocess.py").write_text(NEVER_ENDS, encoding="utf-8")
    assert environment
    assert main([str(project), "--only", "1", "--seconds", "4"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any("seen: dvc repro does not end within" in line for line in lines)


def test_a_folder_that_is_not_there_is_refused_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err == f"grade: {tmp_path / 'none'}: no such folder\n"


def test_points_that_nobody_could_check_do_not_count() -> None:
    sheet = MarkSheet({SERVICE})
    for criterion in CRITERIA:
        sheet.passed(criterion.key, "seen")
    assert total_line(sheet) == "25 of 25 points"
    sheet = MarkSheet({SERVICE})
    sheet.unchecked("image", "no container engine")
    assert total_line(sheet) == "0 of 23 points; 2 points were not checked and do not count"


def test_the_points_of_the_tasks_are_a_hundred_and_twenty_more_for_the_optional_one() -> None:
    sheet = MarkSheet(TASKS)
    assert sheet.totals() == {"points": 0, "of": 100, "bonus": 0, "bonus_of": 20}


def test_the_first_mark_of_a_criterion_counts() -> None:
    sheet = MarkSheet({DATA})
    sheet.failed("rows", "lost", "look")
    sheet.passed("rows", "all there")
    assert sheet.state("rows") == "failed"


def test_what_a_student_has_written_cannot_break_the_table() -> None:
    sheet = MarkSheet({HOUSE})
    sheet.failed("folder", "a | b\n<script>", "try")
    [row] = [line for line in as_markdown(sheet).splitlines() if "own folder" in line]
    assert "a \\| b &lt;script>" in row
    assert json.loads(as_json(sheet))["marks"][0]["seen"] == "a | b\n<script>"


def test_without_a_browser_the_hand_in_list_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "none"))
    with hand_in(tmp_path / "hand-in") as papers:
        papers.take(DOCS, "http://127.0.0.1:1/docs")
    assert "No picture `f3.png`: no browser here: install Chromium" in papers.list_markdown()


def test_the_hand_in_list_has_pictures_where_there_is_a_browser(tmp_path: Path) -> None:
    if not shutil.which("chromium") and not os.environ.get("CI"):
        pytest.skip("chromium is missing")
    page = tmp_path / "page.html"
    page.write_text("<h1>docs</h1>", encoding="utf-8")
    with hand_in(tmp_path / "hand-in") as papers:
        papers.take(DOCS, page.as_uri())
    assert (tmp_path / "hand-in" / "f3.png").read_bytes().startswith(b"\x89PNG")
    assert "](f3.png)" in papers.list_markdown()

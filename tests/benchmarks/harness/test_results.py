"""Each result is stored as soon as it is measured, and the page is made of the stored results."""

from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.harness import machine, results
from benchmarks.harness.report import Claim, Report
from benchmarks.harness.results import PAGE, Result, keep, markdown, read
from common.settings import PROJECT

FAST = Claim("an answer", "9 requests/s", "3.0", "nothing", "at least 2", met=True)
SLOW = Claim("a batch, of rows", "1 rows/s", "0.5", "nothing", "at least 2", met=False, extrapolated="5 rows/s")
ANSWERS = Report("What an answer's worth, at most", "Said so.", ("", "time"), (("one", "1 s"), ("two", "2 s")), (FAST,))
BATCHES = Report("Batches", "Said so, too.", ("", "time"), (("one", "1 s"),), (SLOW,))
ORDER = ("answers", "batches")


def result(report: Report, date: str = "2026-11-22 10:00", machine: str = "2 cores.") -> Result:
    return Result(date, 90.0, machine, report)


def test_stored_results_are_read_unchanged(tmp_path: Path) -> None:
    keep("batches", result(BATCHES), ORDER, tmp_path)
    keep("answers", result(ANSWERS), ORDER, tmp_path)
    assert list(read(tmp_path)) == ["answers", "batches"]
    assert markdown(read(tmp_path)) == markdown({"answers": result(ANSWERS), "batches": result(BATCHES)})
    assert (tmp_path / PAGE).read_text(encoding="utf-8") == markdown(read(tmp_path))


def test_the_page_begins_with_all_claims_in_one_table() -> None:
    page = markdown({"answers": result(ANSWERS), "batches": result(BATCHES)})
    table = page.split("## Claims")[1].split("\n## ")[0].strip().splitlines()
    link = "[What an answer's worth, at most](#what-an-answers-worth-at-most)"
    assert table[2:] == [
        f"| an answer | 9 requests/s | 3.0 | nothing |  | at least 2 | yes | {link} |",
        "| a batch, of rows | 1 rows/s | 0.5 | nothing | 5 rows/s | at least 2 | **no** | [Batches](#batches) |",
    ]
    assert page.index("## Claims") < page.index("## What an answer's worth") < page.index("## Batches")


def test_a_benchmark_that_is_measured_again_leaves_the_other_results(tmp_path: Path) -> None:
    keep("answers", result(ANSWERS), ORDER, tmp_path)
    keep("batches", result(BATCHES), ORDER, tmp_path)
    keep("batches", result(BATCHES, "2026-11-23 12:30"), ORDER, tmp_path)
    page = (tmp_path / PAGE).read_text(encoding="utf-8")
    assert page.count("*Measured 2026-11-22 10:00 UTC, in 90.0 s.*") == 1
    assert page.count("*Measured 2026-11-23 12:30 UTC, in 90.0 s.*") == 1
    assert page.count("2 cores.") == 1


def test_a_section_from_another_machine_says_so() -> None:
    page = markdown({"answers": result(ANSWERS, machine="One core."), "batches": result(BATCHES, "2026-11-23 12:30")})
    head, *sections = page.split("\n## ")
    assert "2 cores." in head
    assert "One core." not in head
    assert "in 90.0 s. On: One core.*" in sections[1]
    assert "On: " not in sections[2]


def test_the_result_of_a_removed_benchmark_is_deleted(tmp_path: Path) -> None:
    keep("answers", result(ANSWERS), ORDER, tmp_path)
    keep("batches", result(BATCHES), ("batches",), tmp_path)
    assert list(read(tmp_path)) == ["batches"]


def test_a_failed_benchmark_keeps_its_earlier_result_and_the_others_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    keep("answers", result(ANSWERS), ORDER, tmp_path)

    def fail() -> Report:
        raise RuntimeError("nobody answers")

    failed = run.measure({"answers": fail, "batches": lambda: BATCHES}, ORDER, "3 cores.", tmp_path)
    assert failed == ["answers"]
    assert "nobody answers" in capfd.readouterr().err
    kept = read(tmp_path)
    assert kept["answers"].machine == "2 cores."
    assert kept["batches"].machine == "3 cores."


def test_an_interrupted_run_keeps_the_results_before_it(tmp_path: Path) -> None:
    def interrupt() -> Report:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.measure({"answers": lambda: ANSWERS, "batches": interrupt}, ORDER, "2 cores.", tmp_path)
    assert list(read(tmp_path)) == ["answers"]
    assert "## What an answer's worth" in (tmp_path / PAGE).read_text(encoding="utf-8")


def test_an_unknown_benchmark_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(SystemExit, match="no such benchmark: speed; known: answering, servers, many_rows"):
        run.main(["speed"])


def test_a_benchmark_can_be_printed_without_writing_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "PROJECT", tmp_path)
    monkeypatch.setattr(run, "BENCHMARKS", {"answers": lambda: ANSWERS, "batches": lambda: BATCHES})
    monkeypatch.setattr(machine, "description", lambda: "2 cores.")
    run.main(["--print", "batches"])
    assert capfd.readouterr().out == f"{BATCHES.markdown()}\n"
    assert not list(tmp_path.iterdir())


def test_the_page_is_made_of_the_stored_results() -> None:
    kept = results.read()
    assert not kept or (PROJECT / PAGE).read_text(encoding="utf-8") == markdown(kept)

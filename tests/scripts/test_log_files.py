"""A log of `make up` has a largest size; older lines are beside it, and a full disk ends nothing."""

from contextlib import closing
from pathlib import Path

import pytest

from common.settings import Settings
from scripts import log_files
from scripts.log_files import LogFile, begin_anew
from scripts.stack import LogFiles

FULL = Path("/dev/full")


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(log_files, "LOG_BYTES", 1_000)
    return tmp_path / "api.log"


def test_a_log_and_the_older_ones_keep_their_size_and_the_newest_lines(log: Path) -> None:
    lines = [f"line {number:04}\n" for number in range(2_000)]
    with closing(LogFile(log)) as file:
        for line in lines:
            file.write(line)
    kept = [log.with_name(f"{log.name}{end}") for end in (".2", ".1", "")]
    assert sorted(log.parent.iterdir()) == sorted(kept)
    assert all(0 < path.stat().st_size <= 1_000 for path in kept)
    found = "".join(path.read_text() for path in kept)
    assert found == "".join(lines)[-len(found) :]
    assert len(found) > 2_000


def test_the_lines_of_the_run_before_are_beside_the_log(log: Path) -> None:
    for run in ("first\n", "second\n", "third\n"):
        with closing(LogFile(log)) as file:
            file.write(run)
    assert {path.name: path.read_text() for path in log.parent.iterdir()} == {
        "api.log": "third\n",
        "api.log.1": "second\n",
        "api.log.2": "first\n",
    }


def test_a_log_that_a_process_writes_itself_is_moved_when_it_is_large(log: Path) -> None:
    begin_anew(log)
    log.write_text("small")
    begin_anew(log, least=10)
    assert log.read_text() == "small"
    log.write_text("large enough")
    begin_anew(log, least=10)
    assert not log.exists()
    assert log.with_name("api.log.1").read_text() == "large enough"


def test_the_stack_writes_into_such_a_file(tmp_path: Path) -> None:
    with closing(LogFiles(Settings(lab_home=tmp_path), lambda: None, ["api"])) as files:
        assert isinstance(files._files["api"], LogFile)


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_told_once_and_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with closing(LogFile(FULL)) as file:
        for _ in range(3):
            file.write("a line\n")
    assert capsys.readouterr().err == "/dev/full cannot be written: [Errno 28] No space left on device\n"

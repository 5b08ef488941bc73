"""A job as a process: what it is given, how it fails, and that nothing of it is left."""

import logging
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from common.settings import PROJECT, Settings
from monitor.jobs.subprocess_job import JobError, SubprocessJob
from scripts.parts import wait_for

FOREVER = "import time; time.sleep(600)"


def child(code: str, settings: Settings, within: float = 60.0) -> SubprocessJob:
    return SubprocessJob((sys.executable, "-c", code), settings, within)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Path]:
    """A file in which processes write their ids; at the end none of them may be there."""
    file = tmp_path / "started"
    yield file
    for line in file.read_text(encoding="utf-8").split() if file.exists() else []:
        wait_for("the end of a process", partial(has_ended, int(line)), within=10)


def has_ended(number: int) -> bool:
    # The init process reaps an orphan, sooner or later.
    try:
        return psutil.Process(number).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def that_stays(started: Path) -> str:
    """Return code that starts a process of its own, and ends neither."""
    note = f"import os; open({str(started)!r}, 'a').write(f'{{os.getpid()}}\\n')"
    return f"{note}; import subprocess, sys; subprocess.run([sys.executable, '-c', {f'{note}; {FOREVER}'!r}])"


def test_it_has_the_settings_of_its_parent_and_runs_in_the_projects_folder(
    offline: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    secret = Settings(**offline.model_dump(exclude={"alert_webhook_url"}), alert_webhook_url="https://example.org/hook")
    code = (
        "from common.settings import load_settings; s = load_settings(); import os;"
        "print(s.model_dump_json()); print(s.alert_webhook_url.get_secret_value()); print(os.getcwd())"
    )
    with caplog.at_level(logging.INFO, "monitor"):
        assert child(code, secret).run()
    told, url, folder = (
        record.getMessage() for record in caplog.records if record.name == "monitor.jobs.subprocess_job"
    )
    assert told == secret.model_dump_json()
    assert (url, folder) == ("https://example.org/hook", str(PROJECT))


def test_the_error_is_its_last_line_and_all_lines_are_logged(
    offline: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(JobError, match=r"^ValueError: not so$"):
        child("print('first'); raise ValueError('not so')", offline).run()
    assert "first" in caplog.text


def test_a_job_that_fails_without_output_is_named_by_its_exit_code(offline: Settings) -> None:
    with pytest.raises(JobError, match="code 7"):
        child("raise SystemExit(7)", offline).run()


def test_a_job_that_takes_too_long_is_killed_with_its_children(offline: Settings, started: Path) -> None:
    with pytest.raises(JobError, match="did not end within 3 s"):
        child(that_stays(started), offline, within=3.0).run()
    assert len(started.read_text(encoding="utf-8").split()) == 2


def test_a_stop_kills_the_running_job_and_is_no_failure(offline: Settings, started: Path) -> None:
    running = child(that_stays(started), offline)
    failures: list[Exception] = []

    def run() -> None:
        try:
            running.run()
        except JobError as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for("both processes", lambda: started.exists() and len(started.read_text(encoding="utf-8").split()) == 2)
    running.stop()
    thread.join(timeout=20)
    assert not thread.is_alive()
    assert failures == []


def test_after_a_stop_nothing_is_run(offline: Settings, tmp_path: Path) -> None:
    file = tmp_path / "there"
    stopped = child(f"open({str(file)!r}, 'w')", offline)
    assert stopped.run()
    file.unlink()
    stopped.stop()
    assert not stopped.run()
    assert not file.exists()

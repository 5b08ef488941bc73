"""Days as Parquet files: whole or not at all, read as they were written, with the ground truth that came later."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pyarrow import parquet

from common.exported_days import ExportError, read_days, write_day
from common.settings import Settings
from common.store import Store
from common.store.retention.day_rows import DayRow
from common.store.trust.replays import ReplaySpan
from monitor import exporting_days
from monitor.exporting_days import export_days
from monitor.jobs import retention
from monitor.jobs.day_export import JOB, DayExport
from monitor.jobs.job_alerts import JobAlerts
from monitor.jobs.retention import RetentionJob, Sweep
from tests.common.store.rows import FEATURES, NOON, SETOSA, VERSICOLOR, prediction, shadow
from tests.monitor.references import Clock
from trust.replay.exported import exported_chunks

DAY = timedelta(days=1)
TODAY = NOON.date()
MIDNIGHT = NOON.replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
def kept(either_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store with three rows of yesterday, one of them with a ground truth, and one row of today."""
    monkeypatch.setattr(retention, "SHARE_OF_TIME", 1.0)
    with closing(Store(either_url)) as store:
        old = [prediction(name, at=NOON - DAY) for name in ("a", "b")]
        store.predictions.write([*old, shadow("a") | {"predicted_at": NOON - DAY}, prediction("new", at=NOON)])
        store.feedback.give("b", SETOSA, trusted=True)
        yield store


def rows_of(folder: Path) -> list[DayRow]:
    return [row for rows in read_days(str(folder), "iris", MIDNIGHT - 9 * DAY, MIDNIGHT + DAY) for row in rows]


def test_days_that_have_ended_are_written_once_and_read_as_they_were(kept: Store, tmp_path: Path) -> None:
    assert export_days(kept, str(tmp_path), "iris", MIDNIGHT, "all") == 1
    assert export_days(kept, str(tmp_path), "iris", MIDNIGHT, "all") == 0
    file = tmp_path / "iris" / f"{TODAY - DAY}.parquet"
    assert [each.name for each in file.parent.iterdir()] == [file.name]
    found = rows_of(tmp_path)
    assert [(row["id"], row["role"], row["ground_truth"]) for row in found] == [
        ("a", "champion", None),
        ("a", "shadow", None),
        ("b", "champion", SETOSA),
    ]
    assert (found[2]["predicted_at"], found[2]["confidence"], found[2]["trusted"]) == (NOON - DAY, 0.7, True)
    assert parquet.read_metadata(file).num_rows == 3


def test_a_replay_reads_the_champions_exported_rows(kept: Store, tmp_path: Path) -> None:
    export_days(kept, str(tmp_path), "iris", MIDNIGHT, "all")
    span = ReplaySpan("iris", MIDNIGHT - DAY, MIDNIGHT + DAY)
    [rows] = exported_chunks(str(tmp_path), span)
    before = [each for page in kept.trust.replays.chunks(span) for each in page if each.id != "new"]
    assert rows == before
    assert rows[0].features == FEATURES


def test_a_ground_truth_that_came_after_the_export_goes_into_a_second_file(kept: Store, tmp_path: Path) -> None:
    export_days(kept, str(tmp_path), "iris", MIDNIGHT, "all")
    kept.feedback.give("a", VERSICOLOR)
    export_days(kept, str(tmp_path), "iris", MIDNIGHT, "truths")
    found = {(row["id"], row["role"]): row["ground_truth"] for row in rows_of(tmp_path)}
    assert found == {("a", "champion"): VERSICOLOR, ("a", "shadow"): VERSICOLOR, ("b", "champion"): SETOSA}
    assert len(rows_of(tmp_path)) == 3


def test_a_day_that_cannot_be_written_leaves_no_file_and_says_why(kept: Store, tmp_path: Path) -> None:
    (tmp_path / "iris").write_text("in the way")
    with pytest.raises(ExportError, match="cannot be written"):
        export_days(kept, str(tmp_path), "iris", MIDNIGHT, "all")
    assert kept.retention.days.exported("iris", "all") == set()

    def breaks() -> Iterator[list[DayRow]]:
        yield from kept.retention.days.chunks("iris", TODAY)
        raise OSError("gone")

    with pytest.raises(ExportError, match="gone"):
        write_day(str(tmp_path / "other"), "iris", TODAY, "all", breaks())
    assert rows_of(tmp_path / "other") == []


def test_a_file_that_is_broken_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "iris").mkdir()
    (tmp_path / "iris" / f"{TODAY}.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(ExportError, match=f"the file of {TODAY} in .* cannot be read"):
        rows_of(tmp_path)


def test_retention_deletes_only_days_that_are_exported(kept: Store, tmp_path: Path) -> None:
    settings = Settings(
        database_url=str(kept._database._engine.url.render_as_string(hide_password=False)),
        retain_predictions="1d",
        export_predictions=str(tmp_path),
    )
    export = DayExport(settings, kept, JobAlerts(kept))
    # Half of yesterday is older than a day, but only whole days are exported.
    assert RetentionJob(settings, kept, export, Clock(NOON + timedelta(hours=1))).run().deleted == 0
    assert RetentionJob(settings, kept, export, Clock(NOON + DAY)).run().deleted == 2
    assert [row["id"] for row in rows_of(tmp_path)] == ["a", "a", "b"]
    assert kept.predictions.get("new")


def test_a_day_is_written_an_hour_after_its_end_with_the_rows_that_came_late(kept: Store, tmp_path: Path) -> None:
    url = kept._database._engine.url.render_as_string(hide_password=False)
    settings = Settings(database_url=url, export_predictions=str(tmp_path))
    export = DayExport(settings, kept, JobAlerts(kept))
    at_night = Sweep("iris", with_truth=False, before=MIDNIGHT + timedelta(minutes=59))
    assert export(at_night).before == MIDNIGHT - DAY
    kept.predictions.write([prediction("late", at=NOON - DAY)])
    assert export(replace(at_night, before=MIDNIGHT + timedelta(hours=1))).before == MIDNIGHT
    assert "late" in {row["id"] for row in rows_of(tmp_path)}


def test_rows_stay_while_the_export_fails_and_an_alert_says_so(kept: Store, tmp_path: Path) -> None:
    settings = Settings(retain_predictions="1d", export_predictions=str(tmp_path))
    export = DayExport(settings, kept, JobAlerts(kept), ("sh", "-c", "echo the folder is gone; exit 1"))
    assert export(Sweep("iris", with_truth=False, before=NOON)).before == MIDNIGHT - DAY
    assert RetentionJob(settings, kept, export, Clock(NOON + 2 * DAY)).run().deleted == 0
    [alert] = kept.alerts.open("")
    assert (alert.kind, alert.subject) == ("run_failed", JOB)
    assert "could not be exported, and stay: the folder is gone" in alert.message


@pytest.mark.parametrize(
    ("before", "words"),
    [("yesterday", "'yesterday' is no moment"), ("9999-01-01", "'9999-01-01' is more than a day ahead")],
)
def test_a_wrong_moment_is_an_error_and_writes_no_file(
    kept: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], before: str, words: str
) -> None:
    monkeypatch.setattr("sys.argv", ["exporting_days", "iris", before, "all"])
    with pytest.raises(SystemExit) as ended:
        exporting_days.main()
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
    assert kept.retention.days.exported("iris", "all") == set()


def test_a_moment_without_a_time_zone_is_in_utc(
    kept: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    url = kept._database._engine.url.render_as_string(hide_password=False)
    monkeypatch.setattr(
        exporting_days, "load_settings", lambda: Settings(database_url=url, export_predictions=str(tmp_path))
    )
    monkeypatch.setattr("sys.argv", ["exporting_days", "iris", f"{TODAY}T00:00", "all"])
    exporting_days.main()
    assert capsys.readouterr().out == f"days written to {tmp_path}: 1\n"

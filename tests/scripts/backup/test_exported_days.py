"""Days that retention has exported are in a backup, or the backup says that they are not."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from common.exported_days import read_days
from common.settings import Settings
from common.signing.keys import made_key
from common.store import Store
from common.store.retention.retention import BEGIN
from monitor.exporting_days import export_days
from scripts.backup import places, restore, save
from scripts.backup.archive import BackupError
from tests.common.store.rows import NOON, prediction
from tests.conftest import offline_settings
from tests.scripts.backup.test_archive import rewritten
from tests.scripts.backup.test_backup import ROOM, empty_lab, files, quiet

MIDNIGHT = NOON.replace(hour=0, minute=0, second=0, microsecond=0)
DAY = timedelta(days=1)
NAME = f"iris/{(MIDNIGHT - DAY).date()}.parquet"


@pytest.fixture
def lab(tmp_path: Path, prepared_data: Path) -> Settings:
    """A lab with a prediction of today, and two of yesterday that are in no store any more."""
    settings = offline_settings(tmp_path / "lab", prepared_data)
    made_key(settings)
    with closing(Store(settings.database_url)) as store:
        store.predictions.write([prediction("new"), *(prediction(each, at=NOON - DAY) for each in ("a", "b"))])
    return settings


def exporting(lab: Settings, folder: str) -> Settings:
    """Have retention write yesterday to a folder and delete it; return the lab with this setting."""
    with closing(Store(lab.database_url)) as store:
        assert export_days(store, str(lab.lab_home / folder), "iris", MIDNIGHT, "all") == 1
        assert store.retention.step("iris", BEGIN, MIDNIGHT).deleted == 2
    return lab.model_copy(update={"export_predictions": str(lab.lab_home / folder)})


def ids_in(folder: Path) -> list[str]:
    return [row["id"] for rows in read_days(str(folder), "iris", MIDNIGHT - DAY, MIDNIGHT) for row in rows]


@pytest.mark.parametrize("folder", ["exported", ".lab/exported", "data/exported", "."])
def test_exported_days_in_the_labs_folder_come_back_and_are_not_written_again(
    lab: Settings, tmp_path: Path, folder: str
) -> None:
    lab = exporting(lab, folder)
    (lab.lab_home / folder / f"{NAME}.part").write_text("half of a day")
    save.save(lab, tmp_path / "lab.zip", quiet)
    back = empty_lab(lab, tmp_path / "back").model_copy(update={"export_predictions": str(tmp_path / "back" / folder)})
    lines: list[str] = []
    restore.restore(back, tmp_path / "lab.zip", ROOM, lines.append)
    assert not [line for line in lines if "EXPORT_PREDICTIONS" in line]
    assert ids_in(back.lab_home / folder) == ["a", "b"]
    with closing(Store(back.database_url)) as store:
        assert store.retention.days.exported("iris", "all") == {(MIDNIGHT - DAY).date()}
        assert export_days(store, str(back.lab_home / folder), "iris", MIDNIGHT, "all") == 0


def test_a_relative_folder_is_that_of_the_project_where_the_monitor_writes(
    lab: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = exporting(lab, "exported").model_copy(update={"export_predictions": "exported"})
    monkeypatch.setattr(places, "PROJECT", lab.lab_home)
    monkeypatch.chdir(tmp_path)
    assert f"exported/{NAME}" in save.save(lab, tmp_path / "lab.zip", quiet)["files"]


def test_a_restore_names_the_folder_of_the_days_if_the_settings_do_not(lab: Settings, tmp_path: Path) -> None:
    save.save(exporting(lab, "exported"), tmp_path / "lab.zip", quiet)
    lines: list[str] = []
    restore.restore(empty_lab(lab, tmp_path / "back"), tmp_path / "lab.zip", ROOM, lines.append)
    assert ids_in(tmp_path / "back" / "exported") == ["a", "b"]
    assert f"  the exported days are in {tmp_path}/back/exported: name it in EXPORT_PREDICTIONS" in lines


@pytest.mark.parametrize("elsewhere", ["../elsewhere", "s3://name:secret@bucket/days", "", "another"])
def test_exported_days_elsewhere_are_named_as_missing_by_backup_and_restore(
    lab: Settings, tmp_path: Path, elsewhere: str
) -> None:
    lab = exporting(lab, "../elsewhere")
    place = elsewhere if elsewhere.startswith("s3:") or not elsewhere else str(lab.lab_home / elsewhere)
    lab = lab.model_copy(update={"export_predictions": place})
    lines: list[str] = []
    found = save.save(lab, tmp_path / "lab.zip", lines.append)
    assert not [name for name in found["files"] if name.endswith(".parquet")]
    [line] = [each for each in lines if "exported" in each]
    assert line.startswith("  1 exported days are not in the backup, because EXPORT_PREDICTIONS names no folder of ")
    assert "secret" not in "".join(lines)
    restore.restore(empty_lab(lab, tmp_path / "back"), tmp_path / "lab.zip", ROOM, lines.append)
    assert lines[-1].startswith("  1 exported days are not in the backup: ")


def test_a_lab_that_exports_nothing_hears_nothing_about_it(lab: Settings, tmp_path: Path) -> None:
    lines: list[str] = []
    save.save(lab, tmp_path / "lab.zip", lines.append)
    restore.restore(empty_lab(lab, tmp_path / "back"), tmp_path / "lab.zip", ROOM, lines.append)
    assert not [line for line in lines if "exported" in line]


def test_a_folder_with_exported_days_is_not_empty(lab: Settings, tmp_path: Path) -> None:
    save.save(exporting(lab, "exported"), tmp_path / "lab.zip", quiet)
    back = empty_lab(lab, tmp_path / "back")
    other = back.lab_home / "exported" / "iris" / "2025-01-01.parquet"
    other.parent.mkdir(parents=True)
    other.write_text("a day of another lab")
    with pytest.raises(BackupError, match=r"is not empty: it has exported/iris/2025-01-01\.parquet"):
        restore.restore(back, tmp_path / "lab.zip", ROOM, quiet)
    assert files(back.lab_home) == {"exported/iris/2025-01-01.parquet": b"a day of another lab"}


@pytest.mark.parametrize(
    "name", [".git/refs/2026-01-01.parquet", "scripts/stack.py", "exported/iris/days.parquet", "2026-01-01.parquet"]
)
def test_an_archive_brings_no_other_files_than_days_to_new_places(lab: Settings, tmp_path: Path, name: str) -> None:
    save.save(lab, tmp_path / "lab.zip", quiet)
    evil = rewritten(tmp_path / "lab.zip", name, b"a day")
    with pytest.raises(BackupError, match="at no place that a backup has"):
        restore.restore(empty_lab(lab, tmp_path / "back"), evil, ROOM, quiet)
    assert not (tmp_path / "back").exists()

"""An erasure in exported days: the rows of a prediction go from all files that have them, and all other rows stay."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from common.exported_days import ExportError, erase_rows, read_days
from common.store import Store
from monitor.exporting_days import export_days
from scripts.stack import process_environment
from tests.common.store.rows import NOON, SETOSA, prediction, shadow
from tests.conftest import offline_settings
from tests.programs import Ended, error_line, run_python

DAY = timedelta(days=1)
MIDNIGHT = NOON.replace(hour=0, minute=0, second=0, microsecond=0)


def name_of(number: int, days: int = 0) -> str:
    """Return an id as the api makes them, of a moment at noon some days later."""
    milliseconds = int((NOON + days * DAY).timestamp() * 1000)
    return str(UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | number))


@pytest.fixture
def folder(sqlite_url: str, tmp_path: Path) -> Path:
    """Two days with three predictions; the second one of the first day has a shadow row and a late ground truth."""
    with closing(Store(sqlite_url)) as store:
        for days in (0, 1):
            rows = [prediction(name_of(number, days), at=NOON + days * DAY) for number in range(3)]
            store.predictions.write([*rows, shadow(name_of(1, days)) | {"predicted_at": NOON + days * DAY}])
        export_days(store, str(tmp_path / "exported"), "iris", MIDNIGHT + 2 * DAY, "all")
        store.feedback.give(name_of(1), SETOSA)
        export_days(store, str(tmp_path / "exported"), "iris", MIDNIGHT + 2 * DAY, "truths")
    return tmp_path / "exported"


def ids(folder: Path) -> list[str]:
    return [row["id"] for rows in read_days(str(folder), "iris", MIDNIGHT, MIDNIGHT + 2 * DAY) for row in rows]


def test_a_prediction_goes_from_all_files_and_others_stay(folder: Path) -> None:
    before = ids(folder)
    # Champion and shadow, in the file of the day and in that of late ground truths.
    assert erase_rows(str(folder), "iris", {name_of(1)}) == 4
    assert ids(folder) == [each for each in before if each != name_of(1)]
    assert len(before) == 8
    assert erase_rows(str(folder), "iris", {name_of(1)}) == 0


def test_only_files_that_have_the_prediction_are_written_again(folder: Path) -> None:
    files = sorted(folder.rglob("*.parquet"))
    before = {each: each.stat().st_mtime_ns for each in files}
    erase_rows(str(folder), "iris", {name_of(0, days=1)})
    assert [each.name for each in files if each.stat().st_mtime_ns != before[each]] == [f"{NOON.date() + DAY}.parquet"]
    assert sorted(folder.rglob("*")) == sorted([folder / "iris", *files])


@pytest.mark.parametrize("wrong", ["seven", str(UUID(int=0)), ""])
def test_an_id_that_is_no_predictions_is_refused(folder: Path, wrong: str) -> None:
    with pytest.raises(ExportError, match="is not the id of a prediction"):
        erase_rows(str(folder), "iris", {wrong, name_of(1)})
    assert len(ids(folder)) == 8


def test_the_command_says_how_many_rows_are_gone_and_fails_if_there_are_none(
    folder: Path, tmp_path: Path, prepared_data: Path
) -> None:
    settings = offline_settings(tmp_path, prepared_data)

    def erase(*options: str) -> Ended:
        return run_python("-m", "monitor.erase_exported", *options, environment=process_environment(settings))

    assert erase(name_of(0), name_of(2), "--exported", str(folder)).stdout == f"rows erased from {folder}: 2\n"
    assert error_line(erase(name_of(0), "--exported", str(folder))) == (
        f"erase: no file of {folder} has such a prediction"
    )
    assert "error: no folder is named: use --exported FOLDER" in erase(name_of(0)).stderr

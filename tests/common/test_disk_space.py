"""The fill level of the disks of the lab's folders."""

import os
from pathlib import Path

import pytest

from common.disk_space import GB, SERVER, Disk, Usage, disks, folders_of, looking
from common.settings import Settings


def test_the_fill_level_is_the_one_that_df_shows(tmp_path: Path) -> None:
    [disk] = disks([tmp_path / "not" / "there", tmp_path])  # one disk, and it counts once
    system = os.statvfs(tmp_path)
    used = system.f_blocks - system.f_bfree
    assert disk.used == pytest.approx(used / (used + system.f_bavail), abs=0.01)
    assert disk.folder == tmp_path / "not" / "there"


def test_a_disk_that_cannot_be_asked_is_left_out(tmp_path: Path) -> None:
    def broken(_: Path) -> Usage:
        raise OSError("gone")

    assert disks([tmp_path], broken) == []
    assert disks([tmp_path], lambda _: Usage(0, 0, 0)) == [Disk(tmp_path, 0.0, 0)]


def test_the_folders_are_those_of_the_state_and_of_a_sqlite_store(tmp_path: Path) -> None:
    home = Settings(lab_home=tmp_path, database_url=f"sqlite:///{tmp_path}/store/lab.db")
    assert folders_of(home) == [tmp_path / ".lab", tmp_path / "store"]
    elsewhere = home.model_copy(update={"database_url": "postgresql+psycopg://db/lab"})
    assert folders_of(elsewhere) == [tmp_path / ".lab"]
    mounted = elsewhere.model_copy(update={"store_disk": str(tmp_path)})
    assert folders_of(mounted) == [tmp_path / ".lab", tmp_path]


def test_a_disk_of_postgresql_that_is_not_mounted_is_not_taken_for_another(tmp_path: Path) -> None:
    settings = Settings(database_url="postgresql+psycopg://db/lab", store_disk=f"{tmp_path}/not/there")
    assert folders_of(settings) == [settings.state_dir]
    sqlite = Settings(database_url=f"sqlite:///{tmp_path}/lab.db", store_disk="1GB")
    assert SERVER not in {each.folder for each in looking(sqlite, lambda: GB)()}


@pytest.mark.parametrize(("taken", "used", "free"), [(GB, 0.01, 99 * GB), (120 * GB, 1.2, 0)])
def test_a_disk_of_postgresql_that_is_known_by_its_size_has_the_rest_free(taken: int, used: float, free: int) -> None:
    settings = Settings(database_url="postgresql+psycopg://db/lab", store_disk="100GB")
    assert looking(settings, lambda: taken)()[-1] == Disk(SERVER, used, free)


@pytest.mark.parametrize(
    ("used", "free", "limit", "was_full", "is_full"),
    [
        (0.91, 4 * GB, 90, False, True),
        (0.91, 80 * GB, 90, False, False),  # a large disk has room at 91 %
        (0.89, 4 * GB, 90, False, False),
        (0.89, 4 * GB, 90, True, True),  # not to and fro around the limit
        (0.87, 4 * GB, 90, True, False),
        (0.99, 0, 100, False, False),  # 100 means never
    ],
)
def test_a_disk_is_nearly_full_above_the_limit_if_little_is_free(
    used: float, free: int, limit: int, *, was_full: bool, is_full: bool
) -> None:
    assert Disk(Path("/"), used, free).is_full(limit, was_full=was_full) is is_full

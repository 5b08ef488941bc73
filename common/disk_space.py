"""How full the disks are that hold the lab's state and its store."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from common.room_settings.retention import bytes_of
from common.settings import Settings

GB = 10**9
# A disk with more free bytes than these is not nearly full, whatever its fill level: 90 % of a large disk is no need.
SPARE_BYTES = 5 * GB
SERVER = Path("postgresql")  # stands for the disk of a server, which has no folder here
CALM = 0.02  # so far below the limit the fill level has to fall before the disk counts as no longer nearly full


class Usage(NamedTuple):
    """Bytes of a disk; `free` are those that this process may write."""

    total: int
    used: int
    free: int


@dataclass(frozen=True)
class Disk:
    """A disk, by the first of the lab's folders on it.

    Attributes:
        folder: the folder.
        used: the share that is used, from 0 to 1, as `df` shows it.
        free: bytes.
    """

    folder: Path
    used: float
    free: int

    def is_full(self, limit_percent: int, *, was_full: bool = False) -> bool:
        """Return whether the disk is nearly full: above the limit, and with few bytes left. A limit of 100 is none."""
        limit = limit_percent / 100 - (CALM if was_full else 0)
        spare = SPARE_BYTES * (1 + CALM) if was_full else SPARE_BYTES
        return limit_percent < 100 and self.used >= limit and self.free < spare  # noqa: PLR2004


def folders_of(settings: Settings) -> list[Path]:
    """Return the folders of the state and of the store, if this is a SQLite file, or `STORE_DISK` a folder here."""
    url, there = sa.make_url(settings.database_url), Path(settings.store_disk)
    if url.get_backend_name() == "sqlite":
        is_file = url.database not in {None, "", ":memory:"}
        return [settings.state_dir, *([Path(str(url.database)).resolve().parent] if is_file else [])]
    # The nearest parent of a folder that is missing is on another disk: a volume that was not mounted.
    return [settings.state_dir, *([there] if there.is_absolute() and there.is_dir() else [])]


def size_of_server(settings: Settings) -> int | None:
    """Return the bytes of a PostgreSQL server's disk that `STORE_DISK` names; None for a folder and for SQLite."""
    is_server = sa.make_url(settings.database_url).get_backend_name() != "sqlite"
    return bytes_of(settings.store_disk) if is_server else None


def looking(settings: Settings, taken: Callable[[], int]) -> Callable[[], list[Disk]]:
    """Return a function that finds the disks of the state and, at the end, of the store, if it is known.

    Args:
        settings: of the lab.
        taken: returns the bytes that a PostgreSQL server takes; `STORE_DISK` may name the size of its disk.
    """
    folders, size = folders_of(settings), size_of_server(settings)

    def look() -> list[Disk]:
        if not size:
            return disks(folders)
        used = taken()
        return [*disks(folders), Disk(SERVER, used / size, max(size - used, 0))]

    return look


def disks(folders: Sequence[Path], usage: Callable[[Path], Usage] | None = None) -> list[Disk]:
    """Return the disks of these folders, each once; `usage` stands for the system's own figures.

    A folder that is not there yet counts as its nearest parent; a disk that cannot be asked is left out.
    """
    found: dict[int, Disk] = {}
    for folder in folders:
        there = next(each for each in (folder, *folder.parents) if each.exists())
        try:
            device, bytes_of = there.stat().st_dev, (usage or _usage)(there)
        except OSError:
            continue
        reachable = bytes_of.used + bytes_of.free
        found.setdefault(device, Disk(folder, bytes_of.used / reachable if reachable else 0.0, bytes_of.free))
    return list(found.values())


def _usage(folder: Path) -> Usage:
    return Usage(*shutil.disk_usage(folder))

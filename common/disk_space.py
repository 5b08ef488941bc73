"""How full the disks are that hold the lab's state and its store."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from common.settings import Settings

GB = 10**9
# A disk with more free bytes than these is not nearly full, whatever its fill level: 90 % of a large disk is no need.
SPARE_BYTES = 5 * GB
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
    """Return the folders of the state and of a SQLite store; those of a PostgreSQL server are not known here."""
    url = sa.make_url(settings.database_url)
    is_file = url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}
    return [settings.state_dir, *([Path(str(url.database)).resolve().parent] if is_file else [])]


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

"""Bring a backup back into an empty lab: `make restore FROM=FILE`, or `python -m scripts.backup.restore FILE`.

Every hash is checked before anything is written. A lab that has a state already is never touched. If the restore is
killed, the same command again completes it.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from common.settings import Settings, SettingsError, load_settings
from common.store.tables import SCHEMA
from scripts.backup import places
from scripts.backup.archive import Archive, BackupError, opened
from scripts.backup.databases import Counts, count_sqlite, restore_postgresql, rows_there

MAX_GB = 100.0
STAGING = ".restore-of-"  # the beginning of the name of a folder
UNFINISHED = ".restore-unfinished"  # stands in a folder that was empty when a restore began
STATE = (".lab", "data", "models", ".dvc/cache")
# A clone of the project and `make install` leave these.
NO_STATE = (".gitignore", ".dvc", ".lock")
FOR_OWNER, USUAL = 0o600, 0o666
Tell = Callable[[str], None]


def restore_store(settings: Settings, path: Path, max_bytes: int, tell: Tell = print) -> dict[str, Any]:
    """Bring back the store alone, for a lab whose store is damaged; return the backup's manifest.

    Services that wait for their store find it whole: the file comes in one step, and so do the tables in PostgreSQL.

    Raises:
        BackupError: as `restore`; there is a store already.
    """
    with opened(path, max_bytes) as archive:
        url = sa.make_url(settings.database_url)
        _check_fits(archive, url)
        on_sqlite = url.get_backend_name() == "sqlite"
        name = places.STORE_SQLITE if on_sqlite else places.STORE_DUMP
        folder = Path(str(url.database)).parent if on_sqlite else settings.lab_home
        if on_sqlite and Path(str(url.database)).exists():
            raise BackupError(f"there is a store at {url.database} already: move it away, with -wal and -shm beside it")
        if not on_sqlite and (rows := rows_there(url)):
            raise BackupError(f"the database {url.database} is not empty: it has the table {min(rows)}")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=STAGING) as staging:
            found = Path(staging) / name
            archive.extract(name, found, USUAL)
            tell("  the store is what was saved")
            _check_rows(archive, count_sqlite(found) if on_sqlite else restore_postgresql(url, found))
            if on_sqlite:
                _move_store(found, Path(str(url.database)))
        return archive.manifest


def restore(settings: Settings, path: Path, max_bytes: int, tell: Tell = print) -> dict[str, Any]:
    """Bring a backup back into the lab of these settings, which must be empty; return its manifest.

    Raises:
        BackupError: the lab is not empty, or the archive is damaged, dangerous, too large, of another kind of database
            or of a newer lab. Nothing is changed then.
    """
    with opened(path, max_bytes) as archive:
        home, url = settings.lab_home, sa.make_url(settings.database_url)
        _check_fits(archive, url)
        _check_empty(home, url, archive)
        tell(f"  checking {len(archive.files):,} files …")
        for name in archive.files:
            archive.check(name)
        home.mkdir(parents=True, exist_ok=True)
        _forget_killed(home)
        with tempfile.TemporaryDirectory(dir=home, prefix=STAGING) as staging:
            _extract(archive, Path(staging), tell)
            (home / UNFINISHED).touch()
            _bring_in(archive, Path(staging), home, url)
        (home / UNFINISHED).unlink()
        _tell_of_days(settings, archive, tell)
        return archive.manifest


def _tell_of_days(settings: Settings, archive: Archive, tell: Tell) -> None:
    """Tell where the days are that retention has exported: the store that is back does not write them again."""
    folder = archive.manifest.get("exported_to")
    known = folder == places.exported_folder(settings) or not any(map(places.is_day, archive.files))
    if isinstance(folder, str) and not known:
        tell(f"  the exported days are in {settings.lab_home / folder}: name it in EXPORT_PREDICTIONS")
    if missing := places.days_elsewhere(archive.manifest, archive.files):
        tell(f"  {missing:,} exported days are not in the backup: their rows are only where the saved lab wrote them")


def _bring_in(archive: Archive, staging: Path, home: Path, url: sa.URL) -> None:
    try:
        if url.get_backend_name() == "sqlite":
            _check_rows(archive, count_sqlite(staging / places.STORE_SQLITE))
        else:
            dump = staging / places.STORE_DUMP
            _check_rows(archive, rows_there(url) or restore_postgresql(url, dump))
            dump.unlink()
    except BaseException:
        (home / UNFINISHED).unlink()
        raise
    if url.get_backend_name() == "sqlite":
        _move_store(staging / places.STORE_SQLITE, Path(str(url.database)))
    for path in sorted(path for path in staging.rglob("*") if path.is_file()):
        target = home / path.relative_to(staging)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)


def _check_fits(archive: Archive, url: sa.URL) -> None:
    try:
        saved, schema = archive.manifest["store"]["kind"], archive.manifest["store"]["schema"]
    except (KeyError, TypeError):
        raise BackupError("the backup's manifest does not say what store it has") from None
    here = url.get_backend_name()
    if saved != here:
        raise BackupError(
            f"the backup's store is in {saved}, and DATABASE_URL names {here}: set it to an empty database of {saved}"
        )
    if str(schema) > SCHEMA:
        raise BackupError(
            f"the backup is of a newer lab: its store has schema {schema}, and this lab knows {SCHEMA}. Restore it "
            "with the version of the lab that has made it"
        )
    if alien := next(
        (name for name in archive.files if not name.startswith(places.ALLOWED) and not places.is_day(name)), None
    ):
        raise BackupError(f"the backup is refused: {alien!r} in it is at no place that a backup has")
    if (places.STORE_SQLITE if here == "sqlite" else places.STORE_DUMP) not in archive.files:
        raise BackupError("the backup has no store")


def _check_empty(home: Path, url: sa.URL, archive: Archive) -> None:
    was_killed = (home / UNFINISHED).exists()  # the folder was empty, and a restore did not come to its end
    found = [] if was_killed else [path for place in STATE for path in sorted((home / place).rglob("*"))]
    if not was_killed:
        folders = {Path(name).parents[1].as_posix() for name in archive.files if places.is_day(name)}
        found += [home / name for folder in sorted(folders) for name in places.days_of(home, folder)]
    if state := next((path for path in found if path.is_file() and not path.name.endswith(NO_STATE)), None):
        raise BackupError(
            f"{home} is not empty: it has {state.relative_to(home)}. A backup comes back into an empty lab only: use a "
            "fresh clone, or name another folder with LAB_HOME, also for `make up` afterwards"
        )
    if url.get_backend_name() == "sqlite":
        if not was_killed and Path(str(url.database)).exists():
            raise BackupError(f"there is a store at {url.database} already: DATABASE_URL names another file")
    elif (rows := rows_there(url)) and not (was_killed and rows == archive.manifest["store"]["rows"]):
        raise BackupError(
            f"the database {url.database} is not empty: it has the table {min(rows)}. A backup comes back into an "
            "empty database: make one with `createdb`, and name it in DATABASE_URL"
        )


def _forget_killed(home: Path) -> None:
    for path in home.glob(f"{STAGING}*"):
        shutil.rmtree(path)


def _extract(archive: Archive, staging: Path, tell: Tell) -> None:
    begun = time.monotonic()
    for name in archive.files:
        secret = name in {places.SIGNING_KEY, places.NAMED_KEYS}
        archive.extract(name, staging / name, FOR_OWNER if secret else USUAL)
    size = sum(each["bytes"] for each in archive.files.values())
    tell(f"  {size / 1e6:.1f} MB written, {time.monotonic() - begun:.1f} s")


def _check_rows(archive: Archive, rows: Counts) -> None:
    if rows != archive.manifest["store"]["rows"]:
        raise BackupError("the restored store does not have the rows that the manifest names")


def _move_store(found: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    for beside in ("-wal", "-shm"):  # of a restore that was killed, after which a service has used the store
        Path(f"{target}{beside}").unlink(missing_ok=True)
    shutil.move(found, target)


def main(arguments: Sequence[str] | None = None) -> None:
    """Restore a lab."""
    parser = argparse.ArgumentParser(prog="python -m scripts.backup.restore", description=__doc__)
    parser.add_argument("file", type=Path, help="a file of `make backup`")
    parser.add_argument("--max-gb", type=float, default=MAX_GB, help="refuse larger contents (default: %(default)s)")
    parser.add_argument("--store-only", action="store_true", help="bring back the store of a lab that has lost it")
    given = parser.parse_args(arguments)
    bring_back = restore_store if given.store_only else restore
    try:
        settings = load_settings()
        print(f"restoring {given.file} into {settings.lab_home} …", flush=True)
        manifest = bring_back(settings, given.file, round(given.max_gb * 1e9), lambda line: print(line, flush=True))
    except (BackupError, SettingsError, OSError) as error:
        sys.exit(f"restore: {error}")
    except KeyboardInterrupt:
        sys.exit("restore: interrupted; the same command again completes it")
    rows = sum(manifest["store"]["rows"].values())
    print(f"restored: the lab of {manifest['moment']}, {rows:,} rows in the store. `make up` starts it.")


if __name__ == "__main__":
    main()

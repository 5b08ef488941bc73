"""Back up the lab into one file, while it runs: `make backup`, or `python -m scripts.backup.save [FILE]`.

The file holds the store, MLflow's registry with its artefacts, Prefect's database, data, corrections, DVC's cache, the
served copies, the spool, exported days, and the keys. Keep it as a key: people's data and the lab's keys are in it.
"""

import argparse
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from common.keys.keys_file import keys_path
from common.settings import PROJECT, Settings, SettingsError, load_settings
from common.signing.keys import key_path
from scripts.backup import places
from scripts.backup.archive import ArchiveWriter, BackupError, written
from scripts.backup.databases import count_sqlite, save_postgresql, save_sqlite, schema_of_sqlite

PACKAGES = ("mlflow", "prefect", "onnxruntime", "scikit-learn", "sqlalchemy")
Tell = Callable[[str], None]


def save(settings: Settings, path: Path, tell: Tell = print) -> dict[str, Any]:
    """Write a backup of a lab, which may run meanwhile; return the manifest.

    Args:
        settings: of the lab.
        path: of the file, which must not exist.
        tell: gets a line about each place.

    Raises:
        BackupError: there is no store, a part cannot be saved, or the file exists; no file is left then.
    """
    manifest: dict[str, Any] = {"made_at": datetime.now(UTC).isoformat(timespec="seconds"), "versions": _versions()}
    with written(path, manifest) as archive, tempfile.TemporaryDirectory(dir=path.parent, prefix=".backup.") as staging:
        _Saving(settings, archive, Path(staging), manifest, tell).all()
    return {**manifest, "files": archive.files}


class _Saving:
    """One backup. The order of the steps is that of `places.py`."""

    def __init__(
        self, settings: Settings, archive: ArchiveWriter, staging: Path, manifest: dict[str, Any], tell: Tell
    ) -> None:
        self._settings, self._home = settings, settings.lab_home
        self._archive, self._staging = archive, staging
        self._manifest, self._tell = manifest, tell
        self._names: dict[str, None] = {}  # of the files in staging, in their order

    def all(self) -> None:
        self._keys()
        self._folder("copies of served versions", places.SERVED)
        self._tell("  waiting for a moment between two fine-tunings …")
        with places.no_fine_tuning(self._settings):
            self._manifest["moment"] = datetime.now(UTC).isoformat()
            self._spool(places.files_of(self._home, places.SPOOL))
            self._store()
            later = places.files_of(self._home, places.SPOOL)
            # A file of which more has come into the store than the copy of the store has would lose messages.
            self._spool(each for each in later if not each.endswith(places.SPOOL_PLACE))
            self._folder("data and corrections", places.FILES_WITH_STORE)
            self._database("MLflow's database", places.MLFLOW)
        for folder in places.FILES_LATER:
            self._folder(f"files of {folder}", folder)
        self._exported_days()
        self._database("Prefect's database", places.PREFECT)
        for name in self._names:
            self._timed(f"into the archive: {name}", partial(self._archive.add, name, self._staging / name))

    def _keys(self) -> None:
        settings = self._settings
        for name, path in ((places.SIGNING_KEY, key_path(settings)), (places.NAMED_KEYS, keys_path(settings))):
            self._archive.add(name, path)
        if settings.signing_key is not None:
            self._tell("  SIGNING_KEY is a setting, and not in the backup: keep it, or no version can be loaded")
        self._tell("  the settings (.env) are not in the backup: keep them")

    def _spool(self, names: Iterable[str]) -> None:
        for name in names:
            with suppress(FileNotFoundError):  # an api has brought it in meanwhile
                shutil.copyfile(self._home / name, self._staged(name))

    def _store(self) -> None:
        url = sa.make_url(self._settings.database_url)
        begun = time.monotonic()
        if url.get_backend_name() == "sqlite":
            source = Path(str(url.database))
            if not source.is_file():
                raise BackupError(f"there is no store at {source}: nothing to save. LAB_HOME names the lab's folder")
            copy = self._staged(places.STORE_SQLITE)
            save_sqlite(source, copy)
            counts, schema = count_sqlite(copy), schema_of_sqlite(copy)
        else:
            counts, schema = save_postgresql(url, self._staged(places.STORE_DUMP))
        self._manifest["store"] = {"kind": url.get_backend_name(), "schema": schema, "rows": counts}
        self._tell(f"  the store: {sum(counts.values()):,} rows, {time.monotonic() - begun:.1f} s")

    def _database(self, what: str, name: str) -> None:
        if (source := self._home / name).is_file():
            copy = self._staged(name)
            self._timed(what, partial(save_sqlite, source, copy))
            self._manifest.setdefault("rows", {})[name] = count_sqlite(copy)
        else:
            self._tell(f"  {what} is not in this lab's folder, and not in the backup: save it where it is")

    def _staged(self, name: str) -> Path:
        self._names[name] = None
        path = self._staging / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _folder(self, what: str, folder: str) -> None:
        self._files(what, list(places.files_of(self._home, folder)))

    def _exported_days(self) -> None:
        folder = places.exported_folder(self._settings)
        if folder is not None:
            self._manifest["exported_to"] = folder
            days = places.days_of(self._home, folder)
            self._files("exported days", [each for each in days if each not in self._archive.files])
        if missing := places.days_elsewhere(self._manifest, self._archive.files):
            self._tell(
                f"  {missing:,} exported days are not in the backup, because EXPORT_PREDICTIONS names no folder of "
                "this lab that has them: save them where they are"
            )

    def _files(self, what: str, names: Sequence[str]) -> None:
        if names:
            self._timed(
                f"{what} ({len(names):,})", lambda: sum(self._archive.add(each, self._home / each) for each in names)
            )

    def _timed(self, what: str, work: Callable[[], int]) -> None:
        begun = time.monotonic()
        size = work()
        self._tell(f"  {what}: {size / 1e6:.1f} MB, {time.monotonic() - begun:.1f} s")


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False)
    return found | ({"commit": git.stdout.strip()} if git.returncode == 0 else {})


def main(arguments: Sequence[str] | None = None) -> None:
    """Save the lab."""
    parser = argparse.ArgumentParser(prog="python -m scripts.backup.save", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="the file to write (default: backups/lab-<moment>.zip)")
    given = parser.parse_args(arguments)
    try:
        settings = load_settings()
        path = given.file or settings.lab_home / "backups" / f"lab-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip"
        path.parent.mkdir(parents=True, exist_ok=True)
        begun = time.monotonic()
        print(f"saving the lab in {settings.lab_home} …", flush=True)
        manifest = save(settings, path.resolve(), lambda line: print(line, flush=True))
    except (BackupError, SettingsError, OSError) as error:
        sys.exit(f"backup: {error}")
    except KeyboardInterrupt:
        sys.exit("backup: interrupted; nothing is written")
    size, files = path.stat().st_size, len(manifest["files"])
    print(f"{path}: {files:,} files, {size / 1e6:.1f} MB, {time.monotonic() - begun:.1f} s")
    print("Keep it as you keep a key, on another machine. `make restore FROM=…` brings it back into an empty lab.")


if __name__ == "__main__":
    main()

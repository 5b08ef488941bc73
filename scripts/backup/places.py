"""The places of a lab that a backup holds, and the order in which they are saved while the lab runs.

A place that points to another one is saved first, so that the copy of the other has everything that is pointed to:

1. the keys, and the copies of versions that the api serves from its disk; they point to versions of the registry;
2. the spool, whose messages an api brings into the store; once more after the store, for those that came meanwhile;
3. the store, which names versions, rows of finetune.csv, and flow runs;
4. the corrections' files (finetune.csv) and the other data;
5. MLflow's database, which names versions and points to their files;
6. the files of the versions (artefacts), which nobody changes once MLflow's database names them;
7. the days that retention has exported: the store names a day when its file is there, and then deletes its rows;
8. Prefect's database. If it does not know a run that the store names, the api starts another one.

A message that is in the spool and in the store does no harm: an api brings in each one once.

A fine-tuning changes 3, 4 and 5 together. It holds the lock of its finetune.csv meanwhile, so the backup takes the
locks of all problems for steps 2 to 5: they are of one moment between two runs. Predictions, ground truths and
corrections go on; the moment of the store's snapshot divides them. A version that a training registers later is in the
copy of the registry, and no part of the store needs it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from common.settings import PROJECT, Settings
from scripts.backup.archive import BackupError

STORE_SQLITE = "data/lab.db"
STORE_DUMP = "store.dump"
MLFLOW = ".lab/mlflow.db"
PREFECT = ".lab/prefect/prefect.db"
SIGNING_KEY, NAMED_KEYS = ".lab/signing.key", ".lab/keys/keys.json"
# Folders whose files are copied as they are.
SERVED = ".lab/served"
FILES_WITH_STORE = "data"
FILES_LATER = ("models", ".lab/artifacts", ".dvc/cache")
SPOOL, SPOOL_PLACE = ".lab/spool", ".done"  # the suffix of a file that says how much of another one is in the store
# A restore writes nothing else, whatever an archive says: no program, no setting of git or DVC.
ALLOWED = (STORE_DUMP, "data/", "models/", ".lab/", ".dvc/cache/")
LEFT_OUT = (".lock", ".db", ".db-wal", ".db-shm", ".db-journal", "/lock", ".db-exporting", ".db-deciding")
# A day that retention has exported: FOLDER/PROBLEM/YYYY-MM-DD.parquet, or its second file. Git's folder is refused.
DAY_FILE = re.compile(r"(?!(?i:\.git)/)(?:.+/)?[a-z][a-z0-9_]*/\d{4}-\d\d-\d\d(?:\.truths)?\.parquet")
LOCK_SECONDS = 900.0  # for each problem; a fine-tuning of the larger ones takes minutes


def files_of(home: Path, folder: str) -> Iterator[str]:
    """Yield the names of the files of a folder, relative to the lab's folder, without locks, databases and links."""
    for path in sorted((home / folder).rglob("*")):
        name = path.relative_to(home).as_posix()
        hidden = path.name.startswith(".") and path.name != ".gitignore"
        if path.is_file() and not path.is_symlink() and not name.endswith(LEFT_OUT) and not hidden:
            yield name


def exported_folder(settings: Settings) -> str | None:
    """Return the folder of the exported days, relative to the lab's; None if it is elsewhere, or if there is none."""
    folder, home = settings.export_predictions.removeprefix("file://"), settings.lab_home.resolve()
    path = (PROJECT / folder).resolve()  # the monitor writes them in the project's folder
    return path.relative_to(home).as_posix() if folder and "://" not in folder and path.is_relative_to(home) else None


def days_of(home: Path, folder: str) -> Iterator[str]:
    """Yield the names of the exported days in a folder, relative to the lab's folder."""
    for path in sorted((home / folder).glob("*/*.parquet")):
        name = path.relative_to(home).as_posix()
        if path.is_file() and not path.is_symlink() and is_day(name):
            yield name


def is_day(name: str) -> bool:
    """Return whether a file, by its name relative to the lab's folder, can be an exported day."""
    return DAY_FILE.fullmatch(name) is not None


def days_elsewhere(manifest: Mapping[str, Any], files: Iterable[str]) -> int:
    """Return how many files of exported days the store in a backup names, and the backup does not have."""
    named = int(manifest["store"]["rows"].get("exported_days", 0))
    return max(named - sum(map(is_day, files)), 0)


@contextmanager
def no_fine_tuning(settings: Settings) -> Iterator[None]:
    """Hold the locks of all problems' finetune.csv: between two runs, store, file and registry agree.

    Raises:
        BackupError: a run does not end in time.
    """
    with ExitStack() as stack:
        for folder in sorted(path for path in (settings.lab_home / "data").glob("*") if path.is_dir()):
            lock = FileLock(folder / "finetune.lock")
            try:
                stack.enter_context(lock.acquire(timeout=LOCK_SECONDS))
            except Timeout:
                raise BackupError(
                    f"a fine-tuning has held {lock.lock_file} for {LOCK_SECONDS:.0f} s: try again when it has ended"
                ) from None
        yield

"""The places of a lab that a backup holds, and the order in which they are saved while the lab runs.

A place that points to another one is saved first, so that the copy of the other has everything that is pointed to:

1. the keys, and the copies of versions that the api serves from its disk; they point to versions of the registry;
2. the store, which names versions, rows of finetune.csv, and flow runs;
3. the corrections' files (finetune.csv) and the other data;
4. MLflow's database, which names versions and points to their files;
5. the files of the versions (artefacts), which nobody changes once MLflow's database names them;
6. Prefect's database. If it does not know a run that the store names, the api starts another one.

A fine-tuning changes 2, 3 and 4 together. It holds the lock of its finetune.csv meanwhile, so the backup takes the
locks of all problems for steps 2 to 4: they are of one moment between two runs. Predictions, ground truths and
corrections go on; the moment of the store's snapshot divides them. A version that a training registers later is in the
copy of the registry, and no part of the store needs it.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from common.settings import Settings
from scripts.backup.archive import BackupError

STORE_SQLITE = "data/lab.db"
STORE_DUMP = "store.dump"
MLFLOW = ".lab/mlflow.db"
PREFECT = ".lab/prefect/prefect.db"
SIGNING_KEY, NAMED_KEYS = ".lab/signing.key", ".lab/keys/keys.json"
# Folders whose files are copied as they are.
SERVED = ".lab/served"
FILES_WITH_STORE = "data"
FILES_LATER = ("models", ".lab/artifacts", ".dvc/cache", ".lab/spool")
# A restore writes nothing else, whatever an archive says: no program, no setting of git or DVC.
ALLOWED = (STORE_DUMP, "data/", "models/", ".lab/", ".dvc/cache/")
LEFT_OUT = (".lock", ".db", ".db-wal", ".db-shm", ".db-journal", "/lock", ".db-exporting", ".db-deciding")
LOCK_SECONDS = 900.0  # a fine-tuning of the larger problems takes minutes


def files_of(home: Path, folder: str) -> Iterator[str]:
    """Yield the names of the files of a folder, relative to the lab's folder, without locks, databases and links."""
    for path in sorted((home / folder).rglob("*")):
        name = path.relative_to(home).as_posix()
        hidden = path.name.startswith(".") and path.name != ".gitignore"
        if path.is_file() and not path.is_symlink() and not name.endswith(LEFT_OUT) and not hidden:
            yield name


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

"""Write missing raw data, and split them with DVC: `make data`, and the first step of `make train` and `make up`.

DVC cannot run twice at the same time in one project, so a second command waits.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from common.problem import ProblemError
from common.settings import PROJECT, SettingsError, load_settings
from common.table import DataError
from scripts.get_data import get_missing
from scripts.ports import listed_problems

WAIT_SECONDS = 600.0
CONFLICT = "<<<<<<< "
MEND = "dvc.lock has conflict marks: `git checkout --ours dvc.lock`, then the same command again; DVC writes it anew"


class NotPreparedError(RuntimeError):
    """The data could not be prepared; the message says why."""


@contextmanager
def turn() -> Iterator[None]:
    """Wait until no other command prepares data of this project; print that it waits.

    Raises:
        NotPreparedError: another command is still running after ten minutes.
    """
    path = PROJECT / ".lab" / "data.lock"
    path.parent.mkdir(exist_ok=True)
    lock = FileLock(path)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print("waiting: another command prepares data …", flush=True)
            lock.acquire(timeout=WAIT_SECONDS)
    except Timeout:
        raise NotPreparedError(f"another command has held {path} for {WAIT_SECONDS:.0f} s") from None
    try:
        yield
    finally:
        lock.release()


def reproduce(problems: Sequence[str]) -> None:
    """Split the data of problems that have changed; show the output of `preprocess.py`, and DVC's if it fails.

    Raises:
        NotPreparedError: DVC has failed; its output is printed.
    """
    stages = [f"preprocess@{name}" for name in problems]
    shown = ("preprocess: ", *(f"{name}: " for name in problems))
    hidden = []
    # The stages call `python`: it must be this one, and must not hold its output back.
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    with subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", *stages],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as dvc:
        for line in dvc.stdout or ():
            if line.startswith(shown):
                print(line, end="", flush=True)
            else:
                hidden.append(line)
    if dvc.returncode:
        print("".join(hidden).strip(), file=sys.stderr)
        lock = PROJECT / "dvc.lock"
        conflict = lock.exists() and CONFLICT in lock.read_text(encoding="utf-8", errors="replace")
        raise NotPreparedError(MEND if conflict else f"`dvc repro {' '.join(stages)}` ended with code {dvc.returncode}")


def prepare(problems: Sequence[str]) -> None:
    """Write missing raw data, and split them.

    Raises:
        DataError: a problem has no data, or cannot read them.
        NotPreparedError: DVC fails, or params.yaml does not list a problem.
    """
    if unlisted := [name for name in problems if name not in listed_problems()]:
        raise NotPreparedError(
            f"problem {unlisted[0]} is not in params.yaml: add the line `  - {unlisted[0]}` at its end"
        )
    with turn():
        for line in get_missing(problems):
            print(line)
        reproduce(problems)


def main() -> None:
    """Prepare the data of the chosen problem, or of all problems."""
    parser = argparse.ArgumentParser(prog="python -m scripts.prepare", description=__doc__)
    parser.add_argument("--all", action="store_true", help="all problems in params.yaml, not only the setting PROBLEM")
    arguments = parser.parse_args()
    try:
        prepare(listed_problems() if arguments.all else [load_settings().problem])
    except (DataError, NotPreparedError, ProblemError, SettingsError) as error:
        sys.exit(f"prepare: {error}")
    except KeyboardInterrupt:
        sys.exit("prepare: interrupted")


if __name__ == "__main__":
    main()

"""The version before: its code from the history, and stores that it has made.

`python -m tests.scripts.backup.version_before` makes the files of `made_by_the_version_before/` anew, with its code.
"""

import io
import json
import os
import sqlite3
import subprocess
import tempfile
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from common.settings import PROJECT
from tests.postgres import client_programs, postgres_server
from tests.programs import Ended, run_python

# The last commit before migration 0007: no timeline, no signatures, no audit log, no retention, no backup.
BEFORE = "7e722d81e29229b59e4c794b5bf85e8bc6e0175f"
SCHEMA_BEFORE = "0006"
PARTS = ("common", "problems", "training", "preprocess.py", "params.yaml")
MADE = Path(__file__).with_name("made_by_the_version_before")
PREFIX = "old"  # of the ids in them
PROGRAM = Path(__file__).with_name("lab_of_a_version.py")


class NoHistoryError(RuntimeError):
    """The project's history is not here, as in a shallow clone."""


def code_before(folder: Path) -> Path:
    """Bring the code of the version before into a folder, and return this.

    Raises:
        NoHistoryError: git does not have it.
    """
    try:
        found = subprocess.run(
            ["git", "archive", "--format=zip", BEFORE, *PARTS], cwd=PROJECT, capture_output=True, check=False
        )
    except FileNotFoundError as error:
        raise NoHistoryError("git is not installed") from error
    if found.returncode:
        raise NoHistoryError(f"git does not have commit {BEFORE[:7]}: {found.stderr.decode().strip()}")
    with zipfile.ZipFile(io.BytesIO(found.stdout)) as files:
        files.extractall(folder)
    return folder


def run_code(code: Path, *arguments: str, **settings: str) -> Ended:
    """Run a program with the code of a folder."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(code), **settings}
    return run_python(*arguments, environment=environment, folder=code)


def use(code: Path, what: str, url: str, prefix: str = PREFIX) -> dict[str, Any]:
    """Have the code of a folder write into a store or read it; return all that it reads."""
    ended = run_code(code, str(PROGRAM), what, url, prefix)
    assert ended.returncode == 0, ended.stderr
    answer = json.loads(ended.stdout)
    assert Path(answer["code"]).is_relative_to(code)
    return dict(answer["read"])


def dump(url: str) -> str:
    """Return a store as statements."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(parsed.database))) as database:
            return "\n".join((*database.iterdump(), ""))
    options = ("--no-owner", "--no-privileges", "--inserts")
    return _client("pg_dump", *options, f"--dbname={_address(parsed)}")


def load(statements: str, url: str) -> None:
    """Fill an empty database."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        path = Path(str(parsed.database))
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path)) as database:
            database.executescript(statements)
    else:
        _client("psql", "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--dbname={_address(parsed)}", statements=statements)


def _address(url: sa.URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _client(program: str, *arguments: str, statements: str | None = None) -> str:
    command = [str(client_programs() / program), *arguments]
    ended = subprocess.run(command, input=statements, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def main() -> None:
    """Make the files."""
    MADE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, postgres_server() as server, server.database() as postgres:
        code = code_before(Path(folder) / "code")
        for url in (f"sqlite:///{folder}/lab.db", postgres):
            kind = sa.make_url(url).get_backend_name()
            read = use(code, "write", url)
            (MADE / f"{kind}.sql").write_text(dump(url), encoding="utf-8")
            (MADE / f"{kind}.json").write_text(json.dumps(read, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

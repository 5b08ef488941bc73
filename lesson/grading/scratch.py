"""The scratch copy of a student's project, in which everything runs."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LEFT_OUT = {
    ".venv", "venv", ".git", "__pycache__", "node_modules", "mlruns", "mlartifacts", "mlflow.db", "hand-in",
    ".pytest_cache", ".ruff_cache", ".mypy_cache", ".lab", ".prefect",
}  # fmt: skip
# Results of the student's own work: the grader wants to see how the programs make them.
RESULTS = ("data.csv", "train.csv", "test.csv", "classes.json", "finetune.csv")
SIZE_LIMIT = 200_000_000  # bytes of a project without its environments
FOREIGN = ("PYTHON", "MLFLOW_", "PREFECT_", "DVC_", "VIRTUAL_ENV", "GIT_", "LESSON_", "COVERAGE", "PYTEST")


class ProjectError(RuntimeError):
    """The folder cannot be graded; the message says why."""


@dataclass(frozen=True)
class Scratch:
    """The folders of a grading: `project` is the copy, `home` and `temporary` are those of its programs."""

    base: Path
    original: Path
    python: Path
    before: dict[str, tuple[int, int]]

    @property
    def project(self) -> Path:
        """The copy of the student's project."""
        return self.base / "work" / "project"

    @property
    def data(self) -> Path:
        """The folder of the copy's data."""
        return self.project / "data"

    @property
    def home(self) -> Path:
        """The home folder of the student's programs."""
        return self.base / "home"

    @property
    def own(self) -> Path:
        """The grader's own files."""
        return self.base / "grader"

    def environment(self) -> dict[str, str]:
        """Return the environment of all programs: of the shell, without what would change their behaviour."""
        shell = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        quiet = {
            "DO_NOT_TRACK": "1",
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(self.home / ".dvc-site"),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        }
        folders = {"HOME": str(self.home), "USERPROFILE": str(self.home), "TMPDIR": str(self.base / "temporary")}
        return {
            **shell,
            **quiet,
            **folders,
            "PREFECT_HOME": str(self.home / ".prefect"),
            "PATH": f"{self.python.parent}{os.pathsep}{shell.get('PATH', '')}",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def written_outside(self, own: Path | None) -> list[str]:
        """Return the files that the programs have written outside of the copy, in places that the grader knows.

        Args:
            own: A folder in which the grader itself has written.
        """
        now = _files(self.original)
        if own:
            now = {name: status for name, status in now.items() if own.resolve() not in (self.original / name).parents}
        changed = [f"{self.original.name}/{name}" for name in sorted(now) if now[name] != self.before.get(name)]
        deleted = [
            f"{self.original.name}/{name} (deleted)"
            for name in sorted(self.before)
            if not (self.original / name).exists()
        ]
        beside = [f"../{path.name}" for path in sorted((self.base / "work").iterdir()) if path != self.project]
        # Caches of programs have names that begin with a dot; macOS has the folder Library.
        home = [f"~/{path.name}" for path in sorted(self.home.iterdir()) if not path.name.startswith(".")]
        return changed + deleted + beside + [name for name in home if name != "~/Library"]


@contextmanager
def scratch_copy(original: Path) -> Iterator[Scratch]:
    """Copy a project, without its data and its results, to a folder that is deleted at the end.

    Raises:
        ProjectError: there is no such folder, or it is too large to be a student's project.
    """
    original = original.resolve()
    if not original.is_dir():
        raise ProjectError(f"{original}: no such folder")
    before = _files(original)
    if sum(size for size, _ in before.values()) > SIZE_LIMIT:
        raise ProjectError(f"{original}: more than {SIZE_LIMIT // 1_000_000} MB; is this the folder of the lesson?")
    base = Path(tempfile.mkdtemp(prefix="lesson-grade-"))
    try:
        found = Scratch(base, original, _python(original), before)
        for folder in (found.home, found.own, base / "temporary", base / "work"):
            folder.mkdir()
        shutil.copytree(original, found.project, ignore=_left_out, symlinks=True)
        found.data.mkdir(exist_ok=True)
        for name in RESULTS:
            (found.data / name).unlink(missing_ok=True)
        subprocess.run(["git", "init", "--quiet", found.project], check=True, capture_output=True, timeout=60)
        yield found
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _python(project: Path) -> Path:
    """Return the Python of the project's own environment, or the one that runs the grader."""
    for name in (".venv/bin/python", ".venv/Scripts/python.exe"):
        if (python := project / name).exists():
            return python
    return Path(sys.executable)


def _left_out(folder: str, names: list[str]) -> set[str]:
    inside = {"cache", "tmp"} if Path(folder).name == ".dvc" else set()
    return {name for name in names if name in LEFT_OUT | inside or name.endswith((".pyc", ".sock"))}


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of each file of a project, by its path, without environments and caches."""
    found = {}
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _left_out(place, folders)]
        for name in set(names) - _left_out(place, names):
            path = Path(place) / name
            if path.is_file():
                status = path.stat()
                found[path.relative_to(folder).as_posix()] = (status.st_size, status.st_mtime_ns)
    return found

"""Write the starting project of the lesson: all files at once, or none."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
LAB = HERE.parent
LEFT_OUT = ("__pycache__", ".ruff_cache", ".mypy_cache")


class StartError(Exception):
    """The project cannot be written there; the message says why."""


def start(folder: Path, lab: Path = LAB, python: str = sys.executable) -> Path:
    """Write the starting project to `folder`, which is new or empty.

    Args:
        folder: where to write; its parent has to be there.
        lab: the folder of the lab, which `make grade` imports the grader from.
        python: the Python that `make grade` runs.

    Returns:
        The folder, as an absolute path.

    Raises:
        StartError: the folder is not empty, is in the lab, or cannot be written. Nothing has been written then.
    """
    folder = folder.expanduser().absolute()
    try:
        _check(folder, lab, python)
        # The files are written next to the folder, and get its name in one step when all of them are there.
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            _write(made, lab, python)
            if folder.exists():
                folder.rmdir()
            made.rename(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise StartError(f"{folder}: cannot be written: {error}") from error
    return folder


def _check(folder: Path, lab: Path, python: str) -> None:
    resolved = folder.resolve()
    if resolved == lab or lab in resolved.parents:
        raise StartError(f"{folder}: is inside the lab; choose a folder beside it, such as {lab.parent / 'my-lab'}")
    if not folder.parent.is_dir():
        raise StartError(f"{folder}: there is no folder {folder.parent}")
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise StartError(f"{folder}: is no folder; choose another name")
    if folder.exists() and any(folder.iterdir()):
        raise StartError(f"{folder}: is not empty; choose a new folder")
    for path in (str(lab), python):
        if not path.isprintable():
            raise StartError(f"{path!r}: the Makefile cannot hold this path")


def _write(folder: Path, lab: Path, python: str) -> None:
    """Write the project's files to an empty folder."""
    shutil.copytree(HERE / "project", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
    shutil.copyfile(HERE / "tasks.md", folder / "tasks.md")
    for name, quoted in (("Makefile", _for_make), ("grade.ps1", _for_powershell)):
        text = (folder / name).read_text(encoding="utf-8")
        text = text.replace("@LAB@", quoted(str(lab))).replace("@PYTHON@", quoted(python))
        (folder / name).write_text(text, encoding="utf-8")
    umask = os.umask(0)
    os.umask(umask)
    folder.chmod(0o777 & ~umask)  # `mkdtemp` makes folders that nobody else may read


def _for_make(path: str) -> str:
    return path.replace("$", "$$").replace("#", "\\#")


def _for_powershell(path: str) -> str:
    return path.replace("'", "''")

"""Programs of the project, run until they end."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from common.settings import PROJECT

Ended = subprocess.CompletedProcess[str]


def run_python(*arguments: str, environment: Mapping[str, str] | None = None, folder: Path = PROJECT) -> Ended:
    """Run Python until it ends, in the project's folder or another."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment,
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip


def error_line(ended: Ended) -> str:
    """Return the one line of output of a program that has failed with code 1."""
    assert (ended.returncode, ended.stdout) == (1, "")
    [line] = ended.stderr.splitlines()
    return line


def output_of(command: Sequence[str], environment: Mapping[str, str], folder: Path, *, check: bool = True) -> str:
    """Run a command that has to succeed if `check` is set; return its output with its errors."""
    ended = subprocess.run(
        command, cwd=folder, env=environment, check=False, timeout=180,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert not check or ended.returncode == 0, f"{' '.join(command)}\n{ended.stdout}"
    return ended.stdout

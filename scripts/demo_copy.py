"""The copy of the project under .demo/, and the stack and the commands that run in it."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.settings import PROJECT, Settings
from scripts.demo_steps import DemoError
from scripts.parts import process
from scripts.stack import process_environment

DEMO = PROJECT / ".demo"
# The monitor looks at short windows, often, so that its alert comes within seconds.
EVALUATE_SECONDS, WINDOW_SECONDS = 1, 4


def copy_project(target: Path) -> None:
    """Copy the project's files as they are now, without those that git ignores, to a fresh `target`."""
    shutil.rmtree(target, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, target / name)
    (target / ".venv").symlink_to(Path(sys.prefix))
    # DVC looks for a git repository by default, and the copy has none.
    (target / ".dvc" / "config.local").write_text("[core]\n    no_scm = true\n", encoding="utf-8")


def of_copy(settings: Settings, window_seconds: int = WINDOW_SECONDS) -> Settings:
    """Return the settings of a stack in the copy: it has a state and a store of its own."""
    own = {
        "lab_home": DEMO,
        "database_url": f"sqlite:///{DEMO}/data/lab.db",
        "evaluate_seconds": EVALUATE_SECONDS,
        "window_seconds": window_seconds,
    }
    return settings.model_copy(update=own)


def stack_log(settings: Settings) -> Path:
    """Return the file with the output of the stack itself; its parts have files of their own beside it."""
    return settings.state_dir / "stack.log"


@contextmanager
def running_stack(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """Start the stack in the copy; stop all of it at the end, also after an error."""
    command = [sys.executable, "-m", "scripts.stack"]
    with process(command, stack_log(settings), process_environment(settings), DEMO) as stack:
        yield stack


def run(command: list[str], settings: Settings) -> None:
    """Run a command in the copy, its output on the screen.

    Raises:
        DemoError: the command has failed.
    """
    if subprocess.run(command, cwd=DEMO, env=process_environment(settings), check=False).returncode:
        raise DemoError(f"`{' '.join(command)}` failed; the logs are in {DEMO / '.lab' / 'logs'}")

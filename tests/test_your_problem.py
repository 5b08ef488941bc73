"""`docs/your-problem.md`, done to the letter in a copy of the project: nothing else has to change."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.settings import PROJECT, Settings
from scripts.demo_copy import copy_project
from scripts.stack import on_own_servers, wait_until_ready
from tests.programs import output_of
from tests.servers import free_ports

PAGE = (PROJECT / "docs" / "your-problem.md").read_text(encoding="utf-8")
# The blocks that the reader of the page writes, types and sees, in the order of the page: (language, content).
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
START = BLOCKS.index(("sh", "make up\n"))
SAID = dict(re.findall(r"^\| ([^|`]+) \| `([^`]+)` \|$", PAGE, re.MULTILINE))
PROBLEM = "problems/wine.py"
DATA = "data/wine/data.csv"


@dataclass
class Copy:
    """A copy of the project in a git repository of its own, and what has been printed last in it."""

    folder: Path
    settings: Settings
    environment: dict[str, str]
    printed: str = ""

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command; return what it printed."""
        return output_of(command, self.environment, self.folder, check=check)

    def follow(self, blocks: list[tuple[str, str]]) -> None:
        """Do what blocks of the page say."""
        for language, content in blocks:
            if language == "sh":
                self.printed = self.run("sh", "-euc", self._on_its_ports(content))
            elif language == "text":
                check_shown(content, self.printed)
            else:
                assert (language, content) == ("python", (self.folder / PROBLEM).read_text(encoding="utf-8"))

    def replace(self, name: str, old: str, new: str) -> None:
        """Change a file, which has to say what is to be changed."""
        text = (self.folder / name).read_text(encoding="utf-8")
        assert old in text
        (self.folder / name).write_text(text.replace(old, new), encoding="utf-8")

    def cut(self, lines: int) -> None:
        """Leave so many lines of the data."""
        kept = (self.folder / DATA).read_text(encoding="utf-8").splitlines(keepends=True)[:lines]
        (self.folder / DATA).write_text("".join(kept), encoding="utf-8")

    def _on_its_ports(self, command: str) -> str:
        moved = {8000: self.settings.api_port, 5004: self.settings.monitor_port}
        return re.sub(r"(?<=127\.0\.0\.1:)\d+", lambda port: str(moved[int(port[0])]), command)


def check_shown(shown: str, printed: str) -> None:
    """See that every line that the page shows is printed; … stands for anything."""
    for line in shown.splitlines():
        pattern = ".*".join(map(re.escape, line.split("…")))
        assert re.search(pattern, printed), f"{line!r} is not in\n{printed}"


def copy_of(home: Path) -> Copy:
    """Copy the project, and commit it, as whoever has cloned it has it."""
    folder = home / "lab"
    ports = free_ports()
    settings = on_own_servers(Settings(problem="wine", lab_home=folder, **ports))
    names = {name.upper() for name in Settings.model_fields} | {"MLFLOW_URL"}
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment |= {name.upper(): str(port) for name, port in ports.items()}
    environment |= {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "DVC_NO_ANALYTICS": "1",
    }
    copy_project(folder)
    (folder / ".dvc" / "config.local").unlink()
    copied = Copy(folder, settings, environment)
    copied.run("git", "init", "--quiet")
    copied.run("git", "add", "--all")
    copied.run("git", "-c", "user.name=lab", "-c", "user.email=lab@localhost", "commit", "--quiet", "--message", "all")
    return copied


@contextmanager
def started(copied: Copy) -> Iterator[None]:
    """Type `make up`, and Ctrl-C in the end."""
    log = copied.folder.parent / "make-up.log"
    with log.open("w", encoding="utf-8") as output:
        # The environment is there: it is what these tests run in.
        command = ["make", "--assume-old=.venv/.installed", "up"]
        make = subprocess.Popen(
            command, cwd=copied.folder, env=copied.environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        wait_until_ready(copied.settings, stopped=lambda: make.poll() is not None)
        yield
    except Exception as error:
        error.add_note(log.read_text(encoding="utf-8"))
        raise
    finally:
        os.killpg(make.pid, signal.SIGINT)
        make.wait(timeout=60)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy in which the page was followed to the point where everything is started."""
    copied = copy_of(tmp_path_factory.mktemp("yours"))
    copied.follow(BLOCKS[:START])
    return copied


def changed(copied: Copy) -> set[str]:
    return set(copied.run("git", "status", "--porcelain", "--untracked-files=all").splitlines())


def added_to(copied: Copy, name: str) -> list[str]:
    """Return the lines that were added to a file; none may have gone."""
    lines = [line for line in copied.run("git", "diff", "--unified=0", "--", name).splitlines() if line[0] in "+-"]
    assert [line for line in lines[2:] if line.startswith("-")] == []
    return [line[1:] for line in lines[2:]]


def test_the_page_leads_from_a_csv_file_to_a_fine_tuned_version_and_no_other_file_changes(prepared: Copy) -> None:
    with started(prepared):
        prepared.follow(BLOCKS[START + 1 :])
    for metric in ("logged_predictions_total", "live_labels", "training_feature_mean", "loop_seconds"):
        assert f"{metric}{{" in prepared.printed
    assert changed(prepared) == {
        " M dvc.lock",
        " M params.yaml",
        f"?? {DATA}.dvc",
        f"?? {PROBLEM}",
    }
    assert [path.parent.name for path in (prepared.folder / "data").glob("*/train.csv")] == ["wine"]
    assert added_to(prepared, "params.yaml") == ["  - wine"]
    assert added_to(prepared, "dvc.lock")[0] == "  preprocess@wine:"
    assert (prepared.folder / ".env").read_text(encoding="utf-8") == "PROBLEM=wine\n"


def test_the_file_of_the_page_is_in_the_style_of_the_project(prepared: Copy) -> None:
    prepared.run("ruff", "check", "--no-cache", PROBLEM)
    prepared.run("ruff", "format", "--no-cache", "--check", PROBLEM)
    prepared.run("mypy", "--cache-dir", os.devnull, PROBLEM)


def unlisted(copied: Copy) -> None:
    """Forget a class."""
    copied.replace(PROBLEM, '"1", "2")', '"1")')


def rare(copied: Copy) -> None:
    """Leave five rows of a class, and a tenth to learn from."""
    copied.replace(PROBLEM, "    load=load,\n", "    load=load,\n    test_share=0.9,\n")
    copied.cut(136)


MISTAKES: dict[str, Callable[[Copy], None]] = {
    "a feature that the CSV lacks": lambda lab: lab.replace(PROBLEM, '("hue"', '("colour"'),
    "a target that the CSV lacks": lambda lab: lab.replace(PROBLEM, 'Target("target"', 'Target("cultivar"'),
    "a class that the file does not list": unlisted,
    "a class that is too rare": lambda lab: lab.cut(132),
    "a class that appears only in test": rare,
    "a cell that is no number": lambda lab: lab.replace(DATA, "13.2,1.78,2.14,", "13.2,1.78,n/a,"),
    "a feature twice": lambda lab: lab.replace(PROBLEM, '("ash"', '("alcohol"'),
}


def test_the_page_describes_every_mistake_of_the_tests() -> None:
    assert list(SAID) == list(MISTAKES)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_reported_by_dvc_repro_in_the_words_of_the_page(
    prepared: Copy, tmp_path: Path, mistake: str
) -> None:
    lab = Copy(tmp_path / "lab", prepared.settings, prepared.environment)
    shutil.copytree(prepared.folder, lab.folder, symlinks=True, ignore=shutil.ignore_patterns(".lab", ".git"))
    lab.run("git", "init", "--quiet")
    MISTAKES[mistake](lab)
    printed = lab.run("dvc", "repro", "preprocess@wine", check=False)
    check_shown(SAID[mistake], printed)
    assert "Traceback" not in printed
    assert "failed to reproduce 'preprocess@wine'" in printed


def test_a_problem_can_be_renamed_and_the_default_one_removed(prepared: Copy, tmp_path: Path) -> None:
    lab = Copy(tmp_path / "lab", prepared.settings, prepared.environment)
    shutil.copytree(prepared.folder, lab.folder, symlinks=True, ignore=shutil.ignore_patterns(".lab", ".git"))
    lab.run("git", "init", "--quiet")
    (lab.folder / "problems" / "iris.py").unlink()
    shutil.rmtree(lab.folder / "data" / "iris", ignore_errors=True)
    (lab.folder / PROBLEM).rename(lab.folder / "problems" / "grapes.py")
    (lab.folder / "data" / "wine").rename(lab.folder / "data" / "grapes")
    lab.replace("problems/grapes.py", 'name="wine"', 'name="grapes"')
    lab.replace("params.yaml", "  - iris\n", "")
    lab.replace("params.yaml", "  - wine\n", "  - grapes\n")
    lab.replace(".env", "PROBLEM=wine", "PROBLEM=grapes")
    assert "grapes: 142 rows in train.csv, 36 rows in test.csv" in lab.run("dvc", "repro", "preprocess@grapes")
    ask = "import api.api, monitor.monitor; from common.settings import load_settings as s; print(s().problem)"
    assert "grapes" in lab.run(sys.executable, "-c", ask)

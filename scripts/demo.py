"""The whole loop on real servers, in a copy of the project under .demo/: `make demo`.

The loop closes once. Then the world changes, corrections bring the accuracy back, and a liar tries to spoil it.
"""

import math
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from common.problem import Problem, ProblemError, get_problem
from common.settings import PROJECT, Settings, SettingsError, load_settings
from common.store.suggestions import TRAIN_AT
from common.table import read_table
from scripts.demo_clients import MANY, SOME, Clients, seconds_since
from scripts.demo_picture import Event, draw, story
from scripts.demo_steps import (
    PATIENCE,
    DemoError,
    correct,
    learn,
    least_sure,
    served_version,
    trained,
    vetted,
    wait_for_alert,
)
from scripts.parts import answers, process, wait_for
from scripts.ports import PortInUseError, check_free
from scripts.stack import health_checks, on_own_servers, process_environment, wait_until_ready
from scripts.traffic import api_address, key_header

DEMO = PROJECT / ".demo"
ACCURACY = ("accuracy", "window")  # kind and subject of the monitor's alert
PICTURE = "demo.png"
# How the world of a problem changes: the factors of its features. Other problems end when the loop is closed.
CHANGES = {"iris": {"petal_length": 1.25, "petal_width": 1.25}}
MISTAKES, CONFIRMED, LIES = 50, 25, 25  # corrections of wrong answers and of right ones, and those of a liar
OTHERS = 300  # rows among which a person looks for the first corrections
# Most rows before the world changes, for version 1 and then for version 2. The gate counts their ground truths, too, so
# with 250 of them it would refuse a version that has learnt the new world: such a version is worse in the old one.
OLD_ROWS, NEXT_ROWS = 75, 30
HARM = 0.1  # the loss of accuracy, on the few rows that clients send, above which the liar has done harm
WATCH_SECONDS = 1.5  # traffic between two acts, to see the answers of the new version
# The monitor looks at short windows, often, so that its alert comes within seconds.
EVALUATE_SECONDS, WINDOW_SECONDS = 1, 4
console = Console(soft_wrap=True)


class Hops(dict[str, float]):
    """The steps of the demo, each with the seconds it took; and the events, with the seconds since the start.

    Attributes:
        now: a clock of the seconds since the start.
        events: the events so far.
        flow_run_id: the last flow run.
    """

    def __init__(self) -> None:
        """Start the clock."""
        super().__init__()
        self.now = seconds_since(time.monotonic())
        self.events: list[Event] = []
        self.flow_run_id = ""

    @contextmanager
    def hop(self, name: str, *, announce: bool = True) -> Iterator[None]:
        """Time one step, and print its name at its begin."""
        if announce:
            console.print(f"[bold]▶ {name}[/]")
        start = self.now()
        yield
        self[name] = self.now() - start

    def happened(self, what: str, text: str = "") -> None:
        """Note an event, now, and print more about it."""
        self.events.append(Event(self.now(), what))
        if text:
            console.print(f"  {text}", style="dim", highlight=False)


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


@contextmanager
def running_stack(settings: Settings, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start the stack in the copy; stop all of it at the end, also after an error."""
    command, log = [sys.executable, "-m", "scripts.stack"], settings.state_dir / "stack.log"
    with process(command, log, environment, DEMO) as stack:
        yield stack


def run(command: list[str], environment: dict[str, str]) -> None:
    """Run a command in the copy, its output on the screen."""
    if subprocess.run(command, cwd=DEMO, env=environment, check=False).returncode:
        raise DemoError(f"`{' '.join(command)}` failed; the logs are in {DEMO / '.lab' / 'logs'}")


def begin(settings: Settings, stack: subprocess.Popen[bytes], hops: Hops) -> None:
    """Prepare the data and train a model while the servers start."""
    environment = process_environment(settings)
    with hops.hop("start all servers; meanwhile, prepare the data: get_data, dvc repro"):
        run(["python", "-m", "scripts.prepare"], environment)
        mlflow = health_checks(settings)["mlflow"]
        wait_for("MLflow", lambda: stack.poll() is not None or answers(mlflow), PATIENCE)
    with hops.hop("train: python main.py"):
        run(["python", "main.py"], environment)
        wait_until_ready(settings, stopped=lambda: stack.poll() is not None)


def close_loop(settings: Settings, api: httpx.Client, clients: Clients, hops: Hops) -> None:
    """Let five corrections become the second version."""
    hops.happened(f"version {served_version(api)} serves")
    clients.most = OLD_ROWS
    with hops.hop(f"{TRAIN_AT} corrections become version 2, without a restart"):
        statuses = learn(api, least_sure(api, clients.others(OTHERS)), TRAIN_AT)
    clients.most = OLD_ROWS + NEXT_ROWS
    _serves(settings, statuses, hops)


def change_world(problem: Problem, settings: Settings, api: httpx.Client, clients: Clients, hops: Hops) -> None:
    """Change the rows that clients send, wait for the alert, and let corrections become the next version."""
    with hops.hop("the world changes: petals are measured 25 % too long"):
        hops.happened("petals 25 % too long")
        clients.factors, clients.rows_in_burst, clients.most = CHANGES[problem.name], MANY, math.inf
        clients.check(MISTAKES, CONFIRMED)
        alert = wait_for_alert(settings, problem, ACCURACY)
        hops.happened("alert", f"alert: {alert.message}")
        corrections = wait_for("mistakes to correct", clients.corrections, PATIENCE)
        clients.rows_in_burst = SOME
    with hops.hop(f"people correct {MISTAKES} answers and confirm {CONFIRMED}: version 3"):
        hops.happened(f"{len(corrections)} corrections")
        statuses = learn(api, corrections)
    _serves(settings, statuses, hops)


def lie(problem: Problem, settings: Settings, api: httpx.Client, clients: Clients, hops: Hops) -> None:
    """Send a liar's corrections, which are to do no harm."""
    before = served_version(api)
    about, claimed = problem.target.classes[-2:]
    with hops.hop(f"a liar says of {LIES} {about} that they are {claimed}"):
        hops.happened("a liar's corrections")
        statuses = correct(api, clients.lies(LIES, about, claimed))
        console.print(f"  {vetted(settings, statuses) or 'vetting finds none of them'}", style="dim", highlight=False)
        judged = [each for each in statuses if each["judgement"]]
        few = {"verdict": "lies wait", "reason": f"fewer than {TRAIN_AT} passed"}
        last = judged[-1]["judgement"] if judged else few
        hops.happened(last["verdict"], f"{len(judged)} others are judged: {last['verdict']}: {last['reason']}")
        time.sleep(WATCH_SECONDS)
    if (now := served_version(api)) != before:
        # Lies that no rule finds lie where classes overlap, so a version may learn them without being any worse.
        hops.happened(f"version {now} serves", "on probation: ground truths decide whether it stays")
        if clients.share_of_right(now) < clients.share_of_right(before) - HARM:
            raise DemoError("a version that has learnt a liar's corrections serves, and is worse than the one before")


def _serves(settings: Settings, statuses: list[dict[str, Any]], hops: Hops) -> None:
    """Note that a version serves which has learnt corrections, and let clients see some of its answers."""
    if stopped := vetted(settings, statuses):
        console.print(f"  {stopped}", style="dim", highlight=False)
    status = trained(statuses)[-1]
    number, verdict = status["model_version"], status["judgement"]
    hops.flow_run_id = status["flow_run_id"]
    hops.happened(f"version {number} serves", f"version {number}: {verdict['verdict']}: {verdict['reason']}")
    time.sleep(WATCH_SECONDS)


def show(problem: Problem, settings: Settings, clients: Clients, hops: Hops) -> None:
    """Print events, accuracies and seconds, and the addresses of their pages."""
    console.print(story(hops.events, clients.answered))
    table = Table(title="seconds", show_header=False)
    for name, seconds in hops.items():
        table.add_row(name, f"{seconds:.1f} s", style="dim")
    console.print(table)
    draw(DEMO / PICTURE, hops.events, clients.answered)
    console.print(f"picture of it:       {DEMO.name}/{PICTURE}")
    console.print(f"versions in MLflow:  {settings.mlflow_page}/#/models/{problem.onnx_name}")
    console.print(f"last run in Prefect: {settings.prefect_page}/runs/flow-run/{hops.flow_run_id}")
    console.print(f"all of it, watched:  {settings.monitor_page}/?problem={problem.name}")
    console.print(f"Everything is stopped; `cd {DEMO.name} && make up` opens those pages.")


def play(problem: Problem, settings: Settings) -> None:
    """Run the demo on a stack of its own, and print its results."""
    hops = Hops()
    with hops.hop("everything, start and stop included", announce=False), ExitStack() as cleanup:
        stack = cleanup.enter_context(running_stack(settings, process_environment(settings)))
        begin(settings, stack, hops)
        rows = read_table(settings.data_dir / "data.csv", problem, indices=False)
        api = cleanup.enter_context(
            httpx.Client(base_url=api_address(settings), headers=key_header(settings), timeout=10.0)
        )
        wait_for("serving", lambda: served_version(api), PATIENCE)
        with Clients(problem, settings, rows, hops.now) as clients:
            close_loop(settings, api, clients, hops)
            if problem.name in CHANGES:
                change_world(problem, settings, api, clients, hops)
                lie(problem, settings, api, clients, hops)
    show(problem, settings, clients, hops)


def main() -> None:
    """Run the demo; exit 0 only if every hop ended well."""
    # SIGTERM becomes an exception, so that the stack is stopped, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("demo: stopped"))
    try:
        chosen = on_own_servers(load_settings())
        problem = get_problem(chosen.problem)
        check_free(chosen)
        copy_project(DEMO)
        own = {
            "lab_home": DEMO,
            "database_url": f"sqlite:///{DEMO}/data/lab.db",  # the copy has a store of its own
            "evaluate_seconds": EVALUATE_SECONDS,
            "window_seconds": WINDOW_SECONDS,
        }
        play(problem, chosen.model_copy(update=own))
    except TimeoutError as error:
        sys.exit(f"demo: {error}; the logs are in {DEMO / '.lab' / 'logs'}")
    except (DemoError, SettingsError, ProblemError, PortInUseError) as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        sys.exit("demo: interrupted")


if __name__ == "__main__":
    main()
